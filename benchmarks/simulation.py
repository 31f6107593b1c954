"""Speed of simulation, as ratios of times measured alternately in one run.

    python benchmarks/simulation.py          # about six minutes
    python benchmarks/simulation.py --quick  # under two

Prints a table and writes `benchmarks/results/simulation.json`: a list of `measure`, `value`, `ci95`,
`target`, `bound` (`at_least` or `at_most`) and `command`. Ciw and salabim come with
`pip install ciw salabim`; without them their rows are left out.
"""

import argparse
import gc
import itertools
import multiprocessing
import os
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import gymnasium
import measures
import numpy as np
from bare_queueing import PATH, BareQueueing, first
from measures import Found, geometric, show
from rich.console import Console
from rich.progress import track
from tandems import LeanTandem, Tandem, ciw_tandem, salabim_tandem, tandem

from simdistill.executors import simulating
from simdistill.simulation import EPISODE, TEST, Streams, World
from simdistill.simulation.branching import what_if
from simdistill.simulation.replaying import replay
from simdistill.simulation.rollout import run_policy
from simdistill.simulation.situations import Episode, Situation
from simdistill.simulation.streams import BranchedWorld
from simdistill.simulators.queueing import Queueing, shortest_expected_delay
from simdistill.statistics import mean_estimate

RESULTS = Path(__file__).parent / "results" / "simulation.json"
ROUTING = {"arrival_rate": 2.0, "service_rates": (2.0, 0.5)}

Work = Callable[[], object]


def seconds(work: Work) -> float:
    """Returns the processor time of a piece of work; it depends less on other load than elapsed time."""
    gc.collect()
    begin = time.process_time()
    work()
    return time.process_time() - begin


def ratio(work: Work, beside: Work, rounds: int) -> Found:
    """Returns the geometric mean of the ratios of two times, one ratio per round, with a 95% interval."""
    work()
    beside()
    return geometric([seconds(work) / seconds(beside) for _ in range(rounds)])


# The process layer against bare SimPy.


LIGHT = {"arrival_rate": 1.5, "service_rates": (2.0, 0.5)}
"""Parameters at which the first server alone can serve all jobs."""


def bare(horizon: float) -> None:
    BareQueueing(**LIGHT).env.run(until=horizon)


def layer(horizon: float) -> None:
    run_policy(Queueing(LIGHT, PATH), first, horizon)


def steps(env: gymnasium.Env) -> None:
    env.reset(seed=1)
    ended = False
    while not ended:
        _, _, terminated, truncated, _ = env.step(0)
        ended = terminated or truncated


def against_simpy(rounds: int, scale: float) -> list[dict]:
    """Compares the process layer, and the Gymnasium step, with the same model in bare SimPy."""
    horizon = 4_000.0 * scale
    env = gymnasium.make("simdistill/Queueing-v0", horizon=horizon, disable_env_checker=True, **LIGHT)
    plain = partial(bare, horizon)
    return [
        row("process layer, time against bare SimPy", ratio(partial(layer, horizon), plain, rounds), 1.15),
        row("Gymnasium step, time against bare SimPy", ratio(partial(steps, env), plain, rounds), 1.6),
    ]


# Branches and what-if values.


def situation(depth: int) -> Situation:
    """Returns the decision that follows `depth` decisions."""
    episode = Episode(Queueing(ROUTING, PATH))
    while (found := episode.advance()) is not None and len(found.actions) < depth:
        episode.answer(shortest_expected_delay(found.state, found.choices))
    assert found is not None
    return found


def branch(where: Situation, count: int) -> None:
    """Branches `count` times from a decision, and simulates each branch for an hour."""
    past = World(Streams(where.path))
    for future in range(count):
        world = BranchedWorld(past, Streams((*where.path, future)), where.time)
        model, _ = replay(Queueing, where.params, world, where.actions)
        world.branch()
        model.answer(where.choices[future % 2])
        run_policy(model, shortest_expected_delay, where.time + 60.0)


def branches(rounds: int, scale: float) -> list[dict]:
    """Measures branches per second at three depths; each branch runs for an hour, about 120 decisions."""
    count = max(4, int(60 * scale))
    begun, rows = situation(0), []
    for depth in (0, 100, 2_000):
        where = situation(depth)
        per_second = [count / seconds(partial(branch, where, count)) for _ in range(rounds)]
        found = mean_estimate(np.array(per_second))
        rows.append(row(f"branches a second at depth {depth}", (found.mean, [found.low, found.high]), None))
    slower = ratio(partial(branch, where, count), partial(branch, begun, count), rounds)
    return [*rows, row("branches at depth 2000, time against depth 0", slower, 4.0)]


def what_if_overhead(rounds: int, scale: float) -> list[dict]:
    """Compares what-if values with plain simulation of the same number of decisions."""
    where, futures = situation(20), max(16, int(400 * scale))

    def values():
        return what_if(Queueing, where, shortest_expected_delay, futures, 40.0)

    decisions = values().decisions
    model = Queueing(ROUTING, PATH)
    until = itertools.count(1)

    def plain():
        done = 0
        while done < decisions:
            done += run_policy(model, shortest_expected_delay, 100.0 * next(until))
        return done

    found, interval = ratio(values, plain, rounds)
    return [row("what-if values, time against the decisions in them", (found, interval), 1.2)]


def paired(rounds: int, scale: float) -> list[dict]:
    """Compares the standard deviation of two choices' cost difference with and without common random numbers.

    Costs are those of 1,000 minutes.
    """
    where, futures = situation(40), max(100, int(600 * scale))
    costs_CK = np.array(
        [
            [cost_of(where, choice, future + shift) for future in range(futures)]
            for choice, shift in (("A", 0), ("B", 0), ("B", futures))
        ]
    )
    keyed_K, apart_K = costs_CK[1] - costs_CK[0], costs_CK[2] - costs_CK[0]
    smaller = apart_K.std(ddof=1) / keyed_K.std(ddof=1)
    draws = np.random.default_rng(0).integers(futures, size=(2_000, futures))
    resampled = apart_K[draws].std(axis=1, ddof=1) / keyed_K[draws].std(axis=1, ddof=1)
    interval = np.quantile(resampled, [0.025, 0.975]).tolist()
    return [row("independent seeds against keyed streams, sd", (smaller, interval), 20.0, "at_least")]


def cost_of(where: Situation, choice: str, future: int) -> float:
    world = BranchedWorld(World(Streams(where.path)), Streams((*where.path, 7, future)), where.time)
    model, _ = replay(Queueing, where.params, world, where.actions)
    world.branch()
    before = model.cost()
    model.answer(choice)
    run_policy(model, shortest_expected_delay, where.time + 1_000.0)
    return model.cost(where.time + 1_000.0) - before


# Two processes.


def loop(count: int) -> float:
    """Returns a sum that takes processor time and no memory."""
    total = 0.0
    for number in range(count):
        total += number % 7
    return total


def simulate(plan: tuple[int, float]) -> int:
    number, horizon = plan
    return run_policy(Queueing(ROUTING, (0, TEST, EPISODE, number)), shortest_expected_delay, horizon)


def wall(work: Work) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def two_processes(rounds: int, scale: float) -> list[dict]:
    """Compares the speed-up of simulation by two processes with that of plain loops."""
    plans = [(number, 400.0 * max(scale, 0.3)) for number in range(32)]
    counts = [int(2e7 * max(scale, 0.3))] * 2
    ratios = []
    known = multiprocessing.get_all_start_methods()
    start = "forkserver" if "forkserver" in known else "spawn"
    with simulating(2) as compute, multiprocessing.get_context(start).Pool(2) as pool:
        list(compute(simulate, plans))
        pool.map(loop, counts, 1)
        for _ in range(rounds):
            plain = wall(lambda: [loop(c) for c in counts]) / wall(lambda: pool.map(loop, counts, 1))
            ours = wall(lambda: [simulate(p) for p in plans]) / wall(lambda: list(compute(simulate, plans)))
            ratios.append(ours / plain)
    return [row("two processes, gain against two plain loops", geometric(ratios), 0.9, "at_least")]


# A tandem of five stations, in simdistill and in other libraries.


def against_others(rounds: int, scale: float) -> list[dict]:
    """Compares the time of five stations in a row in other libraries with simdistill's."""
    horizon, rows = 3_000.0 * scale, []
    for library, work in (("ciw", ciw_tandem), ("salabim", salabim_tandem)):
        try:
            __import__(library)
        except ImportError:
            continue
        for style, model, wanted in (("idiomatic", Tandem, 2.0), ("lean", LeanTandem, 4.0)):
            found = ratio(partial(work, horizon), partial(tandem, model, horizon), rounds)
            target = wanted if library == "ciw" else None
            rows.append(row(f"tandem in {library}, time against ours, {style}", found, target, "at_least"))
    return rows


# Growth.


def growth(rounds: int, scale: float) -> list[dict]:
    """Measures time per decision in longer episodes and with more servers, and memory over time."""
    horizon = 1_000.0 * scale

    def routed(parameters: dict, until: float) -> None:
        run_policy(Queueing(parameters, PATH), shortest_expected_delay, until)

    longer = ratio(partial(routed, ROUTING, 10 * horizon), partial(routed, ROUTING, horizon), rounds)
    eight = {"arrival_rate": 2.0, "service_rates": (2.0, 0.5, *[0.2] * 6)}
    wider = ratio(partial(routed, eight, horizon), partial(routed, ROUTING, horizon), rounds)
    return [
        row("time of an episode ten times as long, over ten", scaled(longer, 0.1), 1.1),
        row("time a decision, eight servers against two", wider, None),
        row("memory after five times the time", (memory(), None), 1.1),
    ]


def scaled(found: Found, by: float) -> Found:
    value, interval = found
    return value * by, interval and [by * end for end in interval]


def memory() -> float:
    """Returns a model's memory at the end of an episode over its memory after a fifth of the episode."""
    tracemalloc.start()
    model = Queueing(ROUTING, PATH)
    held = []
    # Streams store a bounded number of blocks; the bound is reached before the first of these times.
    for until in (32_000.0, 160_000.0):
        run_policy(model, shortest_expected_delay, until)
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    return held[1] / held[0]


def row(
    measure: str,
    found: Found,
    target: float | None,
    bound: Literal["at_least", "at_most"] = "at_most",
) -> dict:
    return measures.row(measure, found, "python benchmarks/simulation.py", target, bound)


PARTS = (against_simpy, branches, what_if_overhead, paired, two_processes, against_others, growth)


def main() -> None:
    """Measures all parts, prints the table and writes the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="shorter and fewer runs; nothing is written")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rounds, scale = (4, 0.15) if arguments.quick else (10, 1.0)
    rows = []
    for part in track(PARTS, "measuring", console=Console(stderr=True)):
        rows += part(rounds, scale)
    show(rows, None if arguments.quick else RESULTS)


if __name__ == "__main__":
    main()
