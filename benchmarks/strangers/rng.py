"""One line against keyed draws, and what a draw costs.

    python benchmarks/strangers/rng.py          # about two minutes
    python benchmarks/strangers/rng.py --quick  # half a minute

Prints a table and writes `benchmarks/strangers/rng.json`. Of three models it tells, with draws in one line
and with keyed draws: the standard deviation over futures of a what-if difference, the share of futures in
which the branches coupled, and the processor time of a simulated decision. Then the processor time of a draw,
for numpy's generator and for ours.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # as a script, Python knows this folder only

from measures import Found, geometric, row, show
from one_line import MODELS

from simdistill.simulation import EPISODE, TEST, Streams, World
from simdistill.simulation.branching import what_if
from simdistill.simulation.rollout import run_policy
from simdistill.simulation.situations import Episode, Situation
from simdistill.statistics import mean_estimate

RESULTS = Path(__file__).with_suffix(".json")
COMMAND = "python benchmarks/strangers/rng.py"

COMMON = {
    "random": (),
    "uniform": (1.0, 2.0),
    "exponential": (2.0,),
    "normal": (1.0, 2.0),
    "lognormal": (0.0, 1.0),
    "integers": (10,),
    "triangular": (1.0, 2.0, 4.0),
    "weibull": (2.0,),
}
OTHERS = {
    "gamma": (2.0, 1.0),
    "beta": (2.0, 3.0),
    "poisson": (3.0,),
    "binomial": (10, 0.3),
    "geometric": (0.3,),
    "choice": ([1, 2, 3],),
}
MOST = 4.0
"""Microseconds that a common draw may take."""


def microseconds(work: Callable[[], object], times: int) -> float:
    begin = time.process_time()
    work()
    return (time.process_time() - begin) / times * 1e6


def draws(rounds: int) -> list[dict]:
    """Times each method of both generators, alternately."""
    ours, theirs, rows = World(Streams((0,))).sources.rng("timed"), np.random.default_rng(0), []
    for name, arguments in (COMMON | OTHERS).items():
        found: dict[str, list[float]] = {"numpy": [], "rng": []}
        for _ in range(rounds):
            for kind, generator in (("numpy", theirs), ("rng", ours)):
                method = getattr(generator, name)

                def work(method=method, arguments=arguments):
                    for _ in range(20_000):
                        method(*arguments)

                found[kind].append(microseconds(work, 20_000))
        rows.append(row(f"microseconds a draw, {name}, numpy", geometric(found["numpy"]), COMMAND))
        target = MOST if name in COMMON else None
        rows.append(
            row(f"microseconds a draw, {name}, rng", geometric(found["rng"]), COMMAND, target, "at_most")
        )
    return rows


def situations(name: str, keyed: bool, count: int) -> list[Situation]:
    """The twelfth decision of some episodes."""
    model, policy = MODELS[name]
    found = []
    for number in range(count):
        episode = Episode(model({"keyed": keyed}, (0, TEST, EPISODE, number)))
        while (here := episode.advance()) is not None and len(here.actions) < 12:
            episode.answer(policy(here.state, here.choices))
        if here is not None:
            found.append(here)
    return found


def what_ifs(name: str, keyed: bool, states: int, futures: int) -> tuple[Found, Found]:
    """Standard deviation over futures of a difference, and the share of branches that coupled."""
    model, policy = MODELS[name]
    spread, coupled = [], []
    for here in situations(name, keyed, states):
        values = what_if(model, here, policy, futures, horizon=60.0)
        others = [c for c in range(len(here.choices)) if c != values.base]
        spread.append(float(np.sqrt(values.differences_CK[others].var(axis=1, ddof=1).mean())))
        coupled.append(float(values.coupled_CK[others].mean()))
    return estimate(spread), estimate(coupled)


def estimate(values: list[float]) -> Found:
    found = mean_estimate(values)
    return found.mean, found.ci95


def decision_time(name: str, keyed: bool, round_: int) -> float:
    """Microseconds of processor time a decision."""
    model, policy = MODELS[name]
    simulated = model({"keyed": keyed}, (0, TEST, EPISODE, round_))
    begin = time.process_time()
    decisions = run_policy(simulated, policy, 3_000.0)
    return (time.process_time() - begin) / decisions * 1e6


def models(rounds: int, states: int, futures: int) -> list[dict]:
    rows = []
    for name in MODELS:
        times: dict[bool, list[float]] = {True: [], False: []}
        for number in range(rounds):
            for keyed in times:
                times[keyed].append(decision_time(name, keyed, number))
        for keyed in (False, True):
            spread, coupled = what_ifs(name, keyed, states, futures)
            style = "keyed draws" if keyed else "one line"
            about = f"{name}, {style}"
            rows += [
                row(f"standard deviation of a what-if difference, {about}", spread, COMMAND),
                row(f"share coupled, {about}", coupled, COMMAND),
                row(f"microseconds a decision, {about}", geometric(times[keyed]), COMMAND),
            ]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds; writes nothing")
    quick = parser.parse_args().quick
    rows = models(3 if quick else 7, 4 if quick else 48, 16 if quick else 64)
    rows += draws(3 if quick else 7)
    show(rows, None if quick else RESULTS)


if __name__ == "__main__":
    main()
