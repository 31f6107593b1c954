"""Draws the figures of the documentation: `python benchmarks/figures.py` writes docs/figures/*.svg.

A figure is drawn from files in `benchmarks/results`. Where an experiment kept no file, its figure is drawn
from the table on its page.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import decision_map
import matplotlib
from drawing import STYLE, Point, curves, dots

from simdistill.results import Results

ROOT = Path(__file__).parents[1]
DOCS, RESULTS = ROOT / "docs", ROOT / "benchmarks" / "results"
SETTINGS = {
    "default": "default parameters",
    "in_distribution": "in distribution",
    "out_of_distribution": "out of distribution",
}
UNSTABLE = 1.0
"""Cost over the reference at which an unstable student is drawn, as leaderboards count it."""


def measures(name: str) -> dict[str, Point]:
    """Returns the measures of a benchmark's file by name."""
    path = RESULTS / name if "/" not in name else ROOT / name
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {
        row["measure"]: Point(row["value"], tuple(row["ci95"]) if row["ci95"] else None)
        for row in rows
        if row["value"] is not None
    }


def by_seed(name: str) -> list[dict[str, Point]]:
    """Returns the measures of each seed in a file of several runs."""
    rows = json.loads((RESULTS / name).read_text(encoding="utf-8"))
    return [
        {
            row["measure"]: Point(row["value"], tuple(row["ci95"]) if row["ci95"] else None)
            for row in rows
            if row["seed"] == seed and row["value"] is not None
        }
        for seed in sorted({row["seed"] for row in rows})
    ]


def cells(board: str) -> Iterator[tuple[str, str, int, Results]]:
    """Yields task, method, seed and results of a board's cells."""
    for path in sorted((RESULTS / board).glob("*/metrics.json")):
        task, method, seed = path.parent.name.split("-")
        yield task, method, int(seed), Results.read(path)


def over_reference(results: Results, setting: str, policy: str = "student") -> Point:
    """Returns a policy's cost over the reference's, minus one; an unstable one counts as 100%."""
    estimate = results.tasks[0].policies[policy].over_reference[setting]
    return Point(UNSTABLE) if estimate is None else Point(min(estimate.mean, UNSTABLE))


def table(page: str, number: int = 0) -> tuple[list[str], dict[str, list[str]]]:
    """Returns a table of a results page: its header, and the cells of each row by the row's first cell."""
    text = (DOCS / "results" / f"{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    rows = [
        [cell.strip(" *`") for cell in line.strip("| ").split(" | ")] for line in blocks[number].splitlines()
    ]
    return rows[0][1:], {row[0].replace("`", ""): row[1:] for row in rows[2:]}


def numbers(cell: str) -> list[float]:
    """Returns the numbers in a cell of a table; percentages as fractions."""
    found = [float(text.replace(",", "")) for text in re.findall(r"-?\d[\d,]*\.?\d*(?:e\d+)?", cell)]
    return [each / 100 for each in found] if "%" in cell else found


OVER = "cost over the reference's"


def example() -> None:
    """The example: each student beside the practitioner's rule."""
    seeds = by_seed("queueing.json")
    names = {label.replace("_", " "): label.replace("_", " ") for label in SETTINGS}
    rule = {key: [seeds[0][f"heuristic over the optimum, {key}"]] for key in names}
    students = {
        f"student, seed {number}": {key: [seed[f"student over the optimum, {key}"]] for key in names}
        for number, seed in enumerate(seeds)
    }
    dots("example", {"practitioner's rule": rule, **students}, OVER, percent=True)


def board(name: str, protocol: str, settings: Sequence[str]) -> None:
    """A board: every trained student as a dot, one row for each task and method."""
    rows: dict[str, dict[str, list[Point]]] = {}
    for task, method, _, results in cells(protocol):
        row = rows.setdefault(f"{task}, {method}", {})
        for setting in settings:
            row.setdefault(SETTINGS[setting], []).append(over_reference(results, setting))
    dots(name, rows, f"{OVER}; 100%: unstable, or dearer", percent=True)


def learning_speed() -> None:
    """How many times the questions or the time of `simdistill` another method needs."""
    rows: dict[str, dict[str, list[Point]]] = {}
    for measure, point in measures("learning.json").items():
        found = re.match(r"(\w+), half of the heuristic's gap closed: (\w+), (\w+) over simdistill", measure)
        if found and (found[2], found[3]) in (("questions", "sft"), ("seconds", "sft_grpo")):
            rows.setdefault(found[1], {})[f"{found[2]}, {found[3]}"] = [point]
    dots("learning-speed", rows, "times what simdistill needs", log=True, line=1.0)


def learning_rates() -> None:
    """Held-out regret by learning rate and method."""
    lines: dict[str, tuple[list[float], list[float]]] = {}
    for file in ("sweep", "sweep_dagger", "sweep_kd"):
        for method, rate, regret in _sweep(file):
            xs, ys = lines.setdefault(method, ([], []))
            xs.append(rate)
            ys.append(regret)
    curves("learning-rates", lines, "learning rate", "regret a decision, jobs", log=True)


def _sweep(file: str) -> list[tuple[str, float, float]]:
    rows = json.loads((RESULTS / f"{file}.json").read_text(encoding="utf-8"))
    return sorted(
        (row["method"], row["learning_rate"], row["tune_regret"]) for row in rows if row["tune_regret"]
    )


def grpo() -> None:
    """Held-out regret after GRPO, for each setting."""
    rows = {f"rate {rate:g}": {"regret": [Point(regret)]} for _, rate, regret in _sweep("sweep_sft_grpo")}
    for file, label in (
        ("temperature_2", "temperature 2, rate 0.0001"),
        ("new_questions", "new questions, rate 0.0001"),
    ):
        ((_, _, regret),) = _sweep(f"sweep_sft_grpo_{file}")
        rows[label] = {"regret": [Point(regret)]}
    dots("grpo-after-sft", rows, "regret a decision on held-out questions, jobs")


def balanced_batches() -> None:
    """Learning curves in balanced batches and in batches as they were drawn."""
    lines = {}
    for task, method, seed, results in cells("batches-v1"):
        if task == "queueing":
            points = results.learning.points
            order = "as drawn" if method.endswith("as_drawn") else "balanced"
            lines[f"seed {seed}, {order}"] = (
                [p.questions for p in points],
                [p.validation_regret for p in points],
            )
    curves("balanced-batches", lines, "questions", "regret a decision, jobs")


def forecasts() -> None:
    """Cost with and without forecasts beside the decisions."""
    rows = {}
    with_, without = by_seed("queueing_forecasts.json"), by_seed("queueing.json")
    for number, seeds in enumerate(zip(with_, without, strict=True)):
        for setting in SETTINGS:
            key = f"student over the optimum, {setting.replace('_', ' ')}"
            row = {
                label: [seed[key]] for label, seed in zip(("with forecasts", "without"), seeds, strict=True)
            }
            rows[f"seed {number}, {SETTINGS[setting]}"] = row
    dots("forecasts", rows, "cost over the optimum's", percent=True)


def smaller_students() -> None:
    """What students with fewer layers keep of the expert's gain."""
    rows: dict[str, dict[str, list[Point]]] = {}
    for file in ("retention.json", "retention_methods.json"):
        for measure, point in measures(file).items():
            found = re.match(r"(?:(\w+), )?(\d+ layers): kept of the expert's gain, (.+)", measure)
            if found:
                run = "first expert" if file == "retention.json" else "second expert"
                rows.setdefault(f"{found[2]}, {found[1] or 'hidden'}, {run}", {})[found[3]] = [point]
    dots(
        "smaller-students",
        rows,
        "share kept of the expert's gain over the practitioner's rule",
        percent=True,
        line=1.0,
    )


def ratios(name: str, file: str, chosen: Sequence[str], label: str) -> None:
    """Measures of one file, on a scale of ratios."""
    found = measures(file)
    dots(name, {measure: {"": [found[measure]]} for measure in chosen}, label, log=True, line=1.0)


def serving() -> None:
    """Requests a second by the number of clients."""
    lines: dict[str, tuple[list[float], list[float]]] = {}
    for measure, point in measures("serving.json").items():
        found = re.match(r"latency in ms, (\d+)th percentile, new states, (\d+) client", measure)
        if found:
            xs, ys = lines.setdefault(f"percentile {found[1]}, new states", ([], []))
            xs.append(float(found[2]))
            ys.append(point.value)
    curves("serving", lines, "clients", "latency, ms")


def random_numbers() -> None:
    """Spread of what-if differences with one line and with keyed draws."""
    rows: dict[str, dict[str, list[Point]]] = {}
    for measure, point in measures("benchmarks/strangers/rng.json").items():
        found = re.match(r"standard deviation of a what-if difference, (\w+), (.+)", measure)
        if found:
            rows.setdefault(found[1], {})[found[2]] = [point]
    dots("random-numbers", rows, "standard deviation of a what-if difference, cost units", log=True)


def memory() -> None:
    """Peak memory by the number of questions in a batch."""
    lines: dict[str, tuple[list[float], list[float]]] = {}
    for measure, point in measures("memory.json").items():
        found = re.match(r"peak MB, (\d+) questions in a batch, situation told 1 times", measure)
        if found:
            xs, ys = lines.setdefault("situation told once", ([], []))
            xs.append(float(found[1]))
            ys.append(point.value / 1000)
    curves("memory", lines, "questions in a batch", "peak memory, GB")


def from_table_curves(name: str, number: int, x: str, y: str) -> None:
    """Curves of a page's table, whose header has the places on the x axis."""
    header, rows = table(name, number)
    places = [numbers(cell)[0] for cell in header]
    curves(name, {label: (places, [numbers(cell)[0] for cell in row]) for label, row in rows.items()}, x, y)


def from_table_dots(name: str, label: str, number: int = 0, *, percent: bool = True) -> None:
    """Dots of a page's table: a row for each of its rows, a colour for each of its columns."""
    header, rows = table(name, number)
    found = {
        row: {head: [_point(cell)] for head, cell in zip(header, cells_, strict=True) if numbers(cell)}
        for row, cells_ in rows.items()
    }
    dots(name, found, label, percent=percent)


def _point(cell: str) -> Point:
    value, *interval = numbers(cell)
    return Point(value, (interval[0], interval[1]) if len(interval) == 2 and "(" in cell else None)


SIMULATION = (
    "process layer, time against bare SimPy",
    "Gymnasium step, time against bare SimPy",
    "branches at depth 2000, time against depth 0",
    "what-if values, time against the decisions in them",
    "independent seeds against keyed streams, sd",
    "two processes, gain against two plain loops",
    "tandem in ciw, time against ours, idiomatic",
    "tandem in ciw, time against ours, lean",
    "time of an episode ten times as long, over ten",
)
TRAINING = (
    "ours against TRL's SFTTrainer",
    "of which head and trainer: a plain loop, answers' positions only",
    "of which packing: ours on hard labels against that loop",
    "of which the rest: soft targets and regret against hard labels",
)
DECIDING = (
    "ours with remembering against generate one at a time",
    "ours without remembering against generate one at a time",
    "ours without remembering against generate in batches of 32",
)
BOTH = ("in_distribution", "out_of_distribution")
REGRET = "regret a decision on held-out questions"

FIGURES: dict[str, Callable[[], None]] = {
    "example": example,
    "small-board": lambda: board("small-board", "cpu-v1", BOTH),
    "half-the-questions": lambda: board("half-the-questions", "cpu-v2", BOTH),
    "ablations": lambda: board("ablations", "ablations-v1", tuple(SETTINGS)),
    "learning-speed": learning_speed,
    "learning-rates": learning_rates,
    "grpo-after-sft": grpo,
    "balanced-batches": balanced_batches,
    "different-scenarios": lambda: from_table_dots(
        "different-scenarios", "cost over the optimum's, default parameters"
    ),
    "own-states": lambda: from_table_dots("own-states", f"{REGRET}, jobs", percent=False),
    "search": lambda: from_table_dots("search", "saving on the practitioner's cost, %", 1, percent=False),
    "words": lambda: from_table_curves("words", 0, "questions", REGRET),
    "backlog": lambda: from_table_dots("backlog", "cost over the best rule known, in a surge"),
    "forecasts": forecasts,
    "smaller-students": smaller_students,
    "hidden-states": lambda: from_table_curves("hidden-states", 0, "questions", f"{REGRET}, jobs"),
    "simulation-speed": lambda: ratios("simulation-speed", "simulation.json", SIMULATION, "ratio"),
    "training-speed": lambda: ratios(
        "training-speed", "training.json", TRAINING, "times as many questions a second"
    ),
    "deciding-speed": lambda: ratios(
        "deciding-speed", "deciding.json", DECIDING, "times as many decisions a second"
    ),
    "memory": memory,
    "serving": serving,
    "random-numbers": random_numbers,
    "decision-map": decision_map.draw,
}
"""Name of a figure -> the function that draws it."""


def main() -> None:
    """Draws all figures."""
    matplotlib.use("svg")
    with matplotlib.rc_context(STYLE):
        for draw in FIGURES.values():
            draw()


if __name__ == "__main__":
    main()
