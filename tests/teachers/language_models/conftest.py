"""Servers on loopback, and a cache of answers for each test."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from simdistill.teachers.language_models.client import KEYS

sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def server() -> Iterator:
    from loopback import Server

    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def own_cache(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMDISTILL_CACHE", str(tmp_path / "cache"))
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
