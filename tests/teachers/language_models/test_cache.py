"""Answers on disk."""

import hashlib
import json
import pickle
import sqlite3
import threading
from contextlib import closing

import pytest
from diskcache import Cache
from loopback import body, client

from simdistill.errors import InputError
from simdistill.teachers.language_models.base import cached_answers
from simdistill.teachers.language_models.cache import Answers


def test_answers_of_earlier_versions_are_taken_over(server):
    former = cached_answers().with_suffix(".sqlite")
    former.parent.mkdir(parents=True)
    key = [f"{server.url}/chat/completions", json.dumps(body("a"), sort_keys=True)]
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    with closing(sqlite3.connect(former)) as file, file:
        file.execute("CREATE TABLE answers (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        file.execute("INSERT INTO answers VALUES (?, ?)", (digest, '{"text": "paid", "top": null}'))
    assert client(server).complete([body("a")]) == [{"text": "paid", "top": None}]
    assert not server.bodies


def test_a_pickle_in_the_cache_is_never_loaded():
    with closing(Answers(cached_answers())) as answers:
        answers["a"] = 1
        with closing(sqlite3.connect(cached_answers() / "cache.db")) as file, file:
            file.execute("UPDATE Cache SET mode = 4, value = ?", (pickle.dumps(1),))
        with pytest.raises(InputError, match="it holds a pickle"):
            answers["a"]


def test_several_runs_may_keep_answers_in_one_file(server):
    clients = [client(server) for _ in range(4)]
    threads = [
        threading.Thread(target=found.complete, args=([body(f"{number} {n}") for n in range(10)],))
        for number, found in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(Cache(str(cached_answers()))) as cache:
        assert len(list(cache)) == 40 + 1  # and what the server takes
