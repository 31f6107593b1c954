"""Requests per second and latency of a served student on loopback, with several numbers of clients.

    python benchmarks/serving.py outputs/queueing/RUN          # four minutes on two cores
    python benchmarks/serving.py outputs/queueing/RUN --quick  # one

Each client sends one state at a time, as soon as the previous answer has arrived. States are new (never sent
before) or repeated (cached by the student). Server and clients share the machine. Prints a table and writes
`benchmarks/results/serving.json`: a list of `measure`, `value`, `ci95`, `target`, `bound` (`at_least` or
`at_most`) and `command`.
"""

import argparse
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from measures import geometric, row, show
from rich.console import Console
from rich.progress import track

from simdistill import registry
from simdistill.data.store import load
from simdistill.envs.scenarios import begin, draw
from simdistill.runs.record import Record
from simdistill.simulation import EPISODE, SAMPLE, TEST
from simdistill.simulation.situations import Episode

RESULTS = Path(__file__).parent / "results" / "serving.json"
COMMAND = "python benchmarks/serving.py RUN"
CONCURRENCIES = (1, 4, 16)
PERCENTILES = (50, 95, 99)
PATH = 12
"""Part of the samples' seed paths, which makes the states differ from those of examinations."""


@contextmanager
def served(run: Path) -> Iterator[tuple[str, int]]:
    """Serves a run in a separate process; yields host and port."""
    command = [sys.executable, "-m", "simdistill", "serve", str(run), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split(" ")[0]
            if not address:
                raise SystemExit(process.wait())
            host, _, port = address.removeprefix("http://").rpartition(":")
            yield host, int(port)
        finally:
            process.terminate()


def bodies(run: Path) -> Iterator[bytes]:
    """Yields request bodies; their states differ from each other and from the training states."""
    task = Record.of(run).config.task
    simulator = registry.load("simulators", task.simulator)
    decide = registry.policies(task.simulator)[task.heuristic]
    seen = {json.dumps(question.situation.state) for question in load(run / "questions.parquet")}
    number = 0
    while True:
        sample = (0, TEST, SAMPLE, PATH, number)
        params = draw(simulator, task.parameters.default, task.parameters.train, sample)
        begun = begin(simulator, params, task.parameters.starts, (*sample, 0))
        episode = Episode(simulator(begun, (0, TEST, EPISODE, PATH, number)))
        for _ in range(20):
            if (situation := episode.advance()) is None:
                break
            state, choices = situation.state, list(situation.choices)
            if (text := json.dumps(state)) not in seen:
                seen.add(text)
                yield json.dumps({"state": state, "choices": choices}).encode()
            episode.answer(decide(state, choices))
        number += 1


def latencies(address: tuple[str, int], asked: Sequence[bytes], concurrency: int) -> tuple[float, np.ndarray]:
    """Sends requests from several clients; returns requests per second, and each latency in seconds."""

    def client(own: Sequence[bytes]) -> list[float]:
        connection, taken = http.client.HTTPConnection(*address), []
        for body in own:
            start = time.perf_counter()
            connection.request("POST", "/decide", body)
            reply = connection.getresponse()
            text = reply.read()
            taken.append(time.perf_counter() - start)
            if reply.status != 200:
                raise SystemExit(f"{reply.status}: {text.decode()}")
        connection.close()
        return taken

    start = time.perf_counter()
    with ThreadPoolExecutor(concurrency) as pool:
        taken = list(pool.map(client, [asked[number::concurrency] for number in range(concurrency)]))
    return len(asked) / (time.perf_counter() - start), np.concatenate(taken)


def measured(run: Path, rounds: int, requests: int) -> list[dict]:
    """Returns rows of rates and latencies; each round measures all concurrencies under similar load."""
    rates: dict[tuple[str, int], list[float]] = {}
    seconds: dict[tuple[str, int], list[np.ndarray]] = {}
    new = bodies(run)
    with served(run) as address:
        latencies(address, [next(new)], 1)
        for _ in track(range(rounds), "measuring", console=Console(stderr=True)):
            for concurrency in CONCURRENCIES:
                asked = [next(new) for _ in range(requests)]
                for kind in ("new", "repeated"):
                    rate, taken = latencies(address, asked, concurrency)
                    rates.setdefault((kind, concurrency), []).append(rate)
                    seconds.setdefault((kind, concurrency), []).append(taken)
    rows = []
    for (kind, concurrency), found in rates.items():
        title = f"{kind} states, {concurrency} client{'s' if concurrency > 1 else ''}"
        rows.append(row(f"requests a second, {title}", geometric(found), COMMAND))
        for percentile in PERCENTILES:
            of_rounds = [1000 * np.percentile(taken, percentile) for taken in seconds[kind, concurrency]]
            rows.append(
                row(f"latency in ms, {percentile}th percentile, {title}", geometric(of_rounds), COMMAND)
            )
    return rows


def main() -> None:
    """Measures, prints the table and writes the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--quick", action="store_true", help="fewer requests and rounds; nothing is written")
    given = parser.parse_args()
    rows = measured(given.run, 3 if given.quick else 5, 48 if given.quick else 160)
    show(rows, None if given.quick else RESULTS)


if __name__ == "__main__":
    main()
