"""Sweep of learning rates: all methods have the same rates and tuning seeds; validation regret is compared.

    python benchmarks/sweep.py task=queueing

A cell is a short training run in its own folder below `--folder`; repeat the command to resume a stopped
sweep. Further arguments set fields of the runs, as for `simdistill run`. Prints every method's best rate,
which is then set as `learning_rate` in the method's class, and writes `benchmarks/results/sweep.json`: a list
of `method`, `learning_rate`, `validation_regret` (at the end, mean over seeds; null if a training run
failed), `seconds` (mean), `seeds` and `failures`.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from operator import attrgetter
from pathlib import Path

import cells
import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from simdistill import registry
from simdistill.config import RunConfig, compose
from simdistill.config.names import learns_from
from simdistill.config.plug_ins import installed, section_class
from simdistill.errors import InputError
from simdistill.evaluation.learning_curve import learning
from simdistill.files import write_json
from simdistill.results import LearningPoint
from simdistill.runs.layout import Layout

RESULTS = Path(__file__).parent / "results" / "sweep.json"
FOLDER = Path("outputs") / "sweep"
RATES = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
SEEDS = (1000, 1001)
"""Seeds for tuning; no reported run uses them."""
SHORT = (
    "teacher.generations=2",
    "teacher.scenarios=696",
    "teacher.episodes_per_scenario=1",
    "teacher.states_per_episode=1",
    "distill.questions=480",
    "distill.rounds=1",
    "distill.round_questions=144",
    "distill.round_teacher_questions=144",
    "distill.round_states_per_episode=3",
    "distill.round_decisions_between=3",
    "distill.batch_size=4",
    "distill.packed=true",
    "distill.forecasts=0",
)
"""Settings with about the budget that `protocols/cpu-v1.yaml` gives a method."""
SAMPLED = ("method.questions=104", "method.prompts=2", "method.samples=4")
"""Further settings with this budget, for methods that sample answers."""
FIELDS = {"sft_grpo": "method.learning_rate", "opd": "method.learning_rate"}
"""Method -> field that is swept instead of distill.learning_rate: the learning rate of the second stage of
training; a seed's cells share the first stage."""
METHODS = [name for name in registry.names("methods") if not learns_from(name)]
"""Methods that need no language model other than the student."""


def configs(
    overrides: Sequence[str],
    folder: Path,
    methods: Sequence[str],
    rates: Sequence[float],
    seeds: Sequence[int],
) -> Iterator[tuple[RunConfig, RunConfig]]:
    """Yields the settings of every cell, with those of its lesson; cells of the same seed share a lesson."""
    for seed, method, rate in product(seeds, methods, rates):
        short = [
            given for given in SHORT if not given.startswith("teacher.generations") or _searches(overrides)
        ]
        common = [*short, *(given for given in overrides if not given.startswith("method.")), f"seed={seed}"]
        own = [
            f"method={method}",
            *(SAMPLED if "samples" in section_class("method", method).model_fields else ()),
            *(given for given in overrides if given.startswith("method.") and _concerns(given, method)),
            f"{_field(method)}={rate:g}",
            f"output={folder}/{method}/{rate:g}/seed{seed}",
        ]
        lesson = [f"output={folder}/lessons/seed{seed}"]
        yield compose([*common, *own])[0], compose([*common, *lesson])[0]


def _searches(overrides: Sequence[str]) -> bool:
    """Returns whether the teacher is the search, the only teacher with generations."""
    pairs = [given.partition("=") for given in overrides]
    return all(value == "search" for field, _, value in pairs if field in ("teacher", "teacher.name"))


def _concerns(override: str, method: str) -> bool:
    """Returns whether an override applies to a method: the method has the field, or no method has it."""
    field = override.removeprefix("method.").partition("=")[0]
    owners = [name for name, section in installed("method") if field in section.model_fields]
    return method in owners or not owners


def rate_of(config: RunConfig) -> float:
    """Returns the learning rate that the sweep has set in a cell."""
    return float(attrgetter(_field(config.method.name))(config))


def _field(method: str) -> str:
    return FIELDS.get(method, "distill.learning_rate")


def swept(found: Sequence[tuple[RunConfig, RunConfig]]) -> list[dict]:
    """Trains every cell; returns a row for each combination of method and rate."""
    together: dict[tuple[str, float], list[tuple[int, str | None, LearningPoint | None]]] = {}
    begun: dict[tuple[str, int], RunConfig] = {}
    for config, lesson in track(found, "training", console=Console(stderr=True)):
        why = cells.train(config, lesson, begun.get((config.method.name, config.seed)))
        if config.method.name in FIELDS and not why:
            begun.setdefault((config.method.name, config.seed), config)
        last = None if why else learning(config, Layout.of(Path(str(config.output)))).points[-1]
        together.setdefault((config.method.name, rate_of(config)), []).append((config.seed, why, last))
    return [_row(method, rate, results) for (method, rate), results in together.items()]


def _row(method: str, rate: float, results: Sequence[tuple[int, str | None, LearningPoint | None]]) -> dict:
    failures = [why for _, why, _ in results if why]
    lasts = [last for _, _, last in results if last is not None]
    return {
        "method": method,
        "learning_rate": rate,
        "validation_regret": None if failures else float(np.mean([last.validation_regret for last in lasts])),
        "seconds": None if failures else float(np.mean([last.seconds for last in lasts])),
        "seeds": [seed for seed, _, _ in results],
        "failures": failures,
    }


def best(rows: Sequence[dict]) -> dict[str, dict]:
    """Returns each method's row of least regret; of equal rows that of the smaller rate.

    A method whose training runs failed at every rate is left out.
    """
    found: dict[str, dict] = {}
    for row in sorted(rows, key=lambda row: row["learning_rate"]):
        if row["validation_regret"] is not None:
            before = found.get(row["method"])
            if before is None or row["validation_regret"] < before["validation_regret"]:
                found[row["method"]] = row
    return found


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("overrides", nargs="+", help="task=NAME, then field=value")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder of the cells")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file that is written")
    parser.add_argument("--methods", nargs="+", default=METHODS, help="hidden and opd need teacher.model")
    parser.add_argument("--rates", nargs="+", type=float, default=RATES)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    return parser


def main() -> None:
    """Trains all cells, prints the best rates and writes the results."""
    given = parser().parse_intermixed_args()
    try:
        found = list(configs(given.overrides, given.folder, given.methods, given.rates, given.seeds))
        torch.set_num_threads(found[0][0].threads or torch.get_num_threads())
        rows = swept(found)
    except InputError as error:
        print(f"sweep: {error}", file=sys.stderr)
        sys.exit(2)
    chosen = best(rows)
    table = Table("method", "best learning rate", "validation regret", "seconds")
    for method in given.methods:
        row = chosen.get(method)
        shown = (
            [f"{row[name]:.3g}" for name in ("learning_rate", "validation_regret", "seconds")] if row else []
        )
        table.add_row(method, *(shown or ["every rate failed", "", ""]))
    Console().print(table)
    write_json(given.results, rows)


if __name__ == "__main__":
    main()
