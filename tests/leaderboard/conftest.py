"""Results with made-up numbers of the right form; nothing in them was measured."""

import hashlib
from collections.abc import Callable

import pytest

from simdistill.leaderboard import Cell, Protocol, Result
from simdistill.results import SETTINGS, Results
from simdistill.runs.record import WEIGHTS

TASKS = ("queueing", "inventory", "scheduling", "admission")


def interval(mean: float | None) -> dict | None:
    return None if mean is None else {"mean": mean, "ci95": [mean - 0.01, mean + 0.01]}


def policy(title: str, over: float | None) -> dict:
    cost = {"mean": None if over is None else 5 * (1 + over), "ci95": None, "exact": True, "replications": 0}
    return {
        "title": title,
        "cost": dict.fromkeys(SETTINGS, cost),
        "over_reference": {setting: interval(over) for setting in SETTINGS},
    }


def task(cell: Cell, over: float | None, heuristic: float) -> dict:
    """What a run found on its task, if its student costs so much over the reference in every setting."""
    student = policy("student", over)
    return {
        "task": cell.task,
        "reference": "optimum",
        "heuristic": "practitioner",
        "policies": {
            "random": policy("random", None),
            "practitioner": policy("practitioner", heuristic),
            "teacher": policy("teacher", 0.001 * cell.seed),
            "student": student,
            "optimum": policy("exact optimum", 0.0),
        },
        "measures": {
            "over_reference": student["over_reference"],
            "heuristic_gap_closed": dict.fromkeys(SETTINGS),
            "over_teacher": student["over_reference"],
            "regret_per_decision": student["over_reference"],
        },
        "valid_answers": 1.0,
        "answer_mass": 1.0,
        "untuned_valid_answers": 0.0,
        "teacher_valid_answers": None,
        "forecasts": None,
        "questions_asked": 100,
        "simulator_steps": {"teach": 5000, "own_states": 100, "examine": 9},
        "states_searched": 128,
        "generations": [],
        "failed_rollouts": [],
    }


def made_up(cell: Cell, over: float | None, *, heuristic: float = 0.1, updates: int = 60) -> dict:
    """The `metrics.json` of a run whose student costs so much over the reference in every setting."""
    return {
        "layout": 3,
        "method": cell.method,
        "seed": cell.seed,
        "tasks": [task(cell, over, heuristic)],
        "perplexity": {"untuned": 20.0, "student": 21.0},
        "questions": 96,
        "tokens": {"trained": 1000, "examined": 100},
        "seconds": {"teach": 60.0, "distil": 60.0},
        "peak_memory_mb": 2000.0,
        "decisions_per_second": 30.0,
        "parameters": {"trained": 10, "all": 100},
        "learning": {
            "points": [
                {"questions": 48 * n, "tokens": 500 * n, "seconds": 30.0 * n, "validation_regret": 0.4 / n}
                for n in (1, 2)
            ],
            "heuristic": 0.2,
        },
        "updates": [30, updates],
        "updates_by_reward": {"all": updates, "with_gradient": 9} if cell.method == "sft_grpo" else None,
        "commit": "abc",
        "versions": {"torch": "2.13.0"},
        "config_sha256": 64 * "0",
        "sha256": {WEIGHTS: hashlib.sha256(str(cell).encode()).hexdigest()},
    }


@pytest.fixture
def protocol() -> Protocol:
    methods = {name: {"seeds": 4} for name in ("sft", "sft_grpo", "simdistill")}
    return Protocol.model_validate(
        {
            "version": "made-up",
            "description": "Made up.",
            "questions": 96,
            "states": 128,
            "tasks": {task: [] for task in TASKS},
            "methods": methods,
        }
    )


@pytest.fixture
def metrics_of() -> Callable[..., dict]:
    """Gives a run's made-up `metrics.json`; see `made_up`."""
    return made_up


@pytest.fixture
def results(protocol) -> Callable[..., list[Result]]:
    """Gives results of all cells.

    They follow from a function of the cell, which returns None for an unstable student, and from another one
    that may change the document of a cell.
    """

    def of(
        over: Callable[[Cell], float | None],
        change: Callable[[Cell, dict], object] = lambda cell, document: None,
        **fields,
    ) -> list[Result]:
        found = []
        for cell in protocol.cells:
            document = made_up(cell, over(cell), **fields)
            change(cell, document)
            found.append(Result(cell, Results.of(document)))
        return found

    return of
