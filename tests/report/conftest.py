"""A run folder with made-up numbers of the right form; nothing in it was measured."""

import json
import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest

DEFAULT = {"arrival_rate": 2.0, "service_rates": [2.0, 0.5]}
TITLES = {
    "random": "Random",
    "join_shortest_queue": "Join the shortest queue",
    "shortest_expected_delay": "Shortest expected delay",
    "untuned": "Untuned student",
    "teacher": "Teacher",
    "student": "Student",
    "optimum": "Exact optimum",
}
OVER = {
    "random": None,
    "join_shortest_queue": (0.171, 0.13, 0.2),
    "shortest_expected_delay": (0.087, 0.062, 0.071),
    "teacher": (0.003, 0.004, 0.006),
    "student": (0.006, 0.009, 0.021),
    "optimum": (0.0, 0.0, 0.0),
}
SETTINGS = ("default", "in_distribution", "out_of_distribution")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with every file that the report reads."""
    return write_sample(tmp_path / "run")


@pytest.fixture
def run_with() -> Callable[..., Path]:
    """Writes a run folder with other words in it; see `write_sample`."""
    return write_sample


def write_sample(folder: Path, situation: str = "", greedy: str = "") -> Path:
    """Writes every file that the report reads.

    Args:
        situation: Takes the place of the first question's situation.
        greedy: Takes the place of what the student wrote freely to the first question, and is invalid.
    """
    folder.mkdir(parents=True, exist_ok=True)
    examination = _examination()
    if situation:
        examination["questions"][0]["situation"] = situation
    if greedy:
        examination["questions"][0] |= {"greedy": greedy, "valid": False}
    files = {"metrics": _metrics(), "examination": examination, "environment": _environment()}
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    lines = "".join(json.dumps(row) + "\n" for row in _history())
    (folder / "metrics.jsonl").write_text(lines, encoding="utf-8")
    (folder / "config.yaml").write_text(_config(), encoding="utf-8")
    return folder


def _metrics() -> dict:
    return {
        "task": "queueing",
        "method": "simdistill",
        "seed": 0,
        "policies": {
            name: {
                "title": title,
                "cost": {setting: _cost(name, place) for place, setting in enumerate(SETTINGS)},
                "over_reference": {setting: _over(name, place) for place, setting in enumerate(SETTINGS)},
            }
            for name, title in TITLES.items()
        },
        "over_reference": {setting: _over("student", place) for place, setting in enumerate(SETTINGS)},
        "teacher_over_reference": {
            setting: _over("teacher", place) for place, setting in enumerate(SETTINGS)
        },
        "heuristic_gap_closed": {
            "default": {"mean": 0.93, "ci95": [0.93, 0.93]},
            "in_distribution": {"mean": 0.85, "ci95": [0.74, 0.93]},
            "out_of_distribution": {"mean": 0.70, "ci95": [0.41, 0.9]},
        },
        "valid_answers": 1.0,
        "decisions_per_second": 61.3,
        "perplexity": {"untuned": 21.4, "student": 22.9},
        "seconds": {
            "simulate": 11.2,
            "teach": 98.4,
            "ask": 6.1,
            "distil": 262.0,
            "examine": 71.5,
            "report": 4.0,
        },
        "tokens": {"trained": 81234, "examined": 40211},
        "simulator_steps": {"teach": 812345, "examine": 2212345},
        "peak_memory_mb": 2210.0,
        "questions": 1600,
        "generations": [
            {"generation": 1, "accepted": True, "improvement": {"mean": 0.044, "ci95": [0.031, 0.056]}},
            {"generation": 2, "accepted": True, "improvement": {"mean": 0.003, "ci95": [0.001, 0.006]}},
            {"generation": 3, "accepted": False, "improvement": {"mean": 0.0005, "ci95": [-0.002, 0.002]}},
        ],
        "failed_rollouts": [],
    }


def _cost(name: str, place: int) -> dict | None:
    if name == "untuned" and place > 0:
        return None
    if OVER.get(name) is None:
        return {
            "mean": None,
            "unstable": True,
            "growth": {"mean": 0.31, "ci95": [0.29, 0.33]},
            "replications": 20,
        }
    base = (4.6246, 4.1, 6.3)[place]
    mean = base * (1 + OVER[name][place])
    half = (0.0, 0.9, 1.6)[place]
    simulated = {"mean": mean * 1.004, "ci95": [mean * 0.985, mean * 1.023], "replications": 40}
    return {"mean": mean, "ci95": [mean - half, mean + half], "exact": True, "simulated": simulated}


def _over(name: str, place: int) -> dict:
    if OVER.get(name) is None:
        return {"mean": None, "ci95": None}
    mean = OVER[name][place]
    half = (0.0, 0.3, 0.4)[place] * mean
    return {"mean": mean, "ci95": [mean - half, mean + half]}


def _examination() -> dict:
    return {
        "decision_map": _decision_map(),
        "episode": _episode(),
        "sets": {"in_distribution": _sets(0.009, 1), "out_of_distribution": _sets(0.021, 2)},
        "questions": [_question(place) for place in range(10)],
    }


def _decision_map(size_a: int = 18, size_b: int = 12) -> dict:
    """Send to B where A's queue is longer than a straight line allows; the lines differ between policies."""

    def choices(slope: float, start: float) -> list[list[str]]:
        return [["B" if a > start + slope * b else "A" for b in range(size_b)] for a in range(size_a)]

    weight = [[0.72**a * 0.55**b for b in range(size_b)] for a in range(size_a)]
    total = sum(map(sum, weight))
    return {
        "parameters": DEFAULT,
        "axes": ["A", "B"],
        "labels": ["A", "B"],
        "size": [size_a, size_b],
        "policies": {
            "optimum": choices(2.6, 1.2),
            "teacher": choices(2.6, 1.6),
            "student": choices(2.4, 1.9),
            "shortest_expected_delay": choices(4.0, 3.2),
        },
        "stationary": [[value / total for value in column] for column in weight],
        "stationary_policy": "student",
    }


def _episode() -> dict:
    """Random walks of the form of two queues; one generator a policy, of the same seed."""
    times = [0.25 * step for step in range(241)]
    policies = {}
    for place, name in enumerate(("student", "optimum", "shortest_expected_delay")):
        walk, jobs = random.Random(3), {"A": [], "B": []}
        a, b = 2, 1
        for _ in times:
            a = max(0, a + walk.choice((-1, 0, 0, 1)) - (a > 5 + (1, 0, 2)[place]))
            b = max(0, b + walk.choice((-1, 0, 0, 0, 1)) - (b > 3))
            jobs["A"].append(a)
            jobs["B"].append(b)
        policies[name] = {"jobs": jobs}
    return {"parameters": DEFAULT, "times": times, "policies": policies}


def _sets(over: float, seed: int) -> list[dict]:
    draw = random.Random(seed)
    sets = []
    for _ in range(8):
        rates = [round(draw.uniform(1.6, 2.4), 2), round(draw.uniform(0.4, 0.7), 2)]
        best = draw.uniform(2.5, 6.5)
        cost = {
            "shortest_expected_delay": best * (1 + draw.uniform(0.02, 0.11)),
            "teacher": best * (1 + draw.uniform(0, over)),
            "student": best * (1 + draw.uniform(0, 2 * over)),
            "optimum": best,
        }
        sets.append(
            {
                "parameters": {"arrival_rate": round(draw.uniform(1.4, 2.2), 2), "service_rates": rates},
                "cost": cost,
            }
        )
    return sets


def _question(place: int) -> dict:
    a, b = place % 7, place % 3
    gap = 0.9 * (a - 1.2 - 2.6 * b)
    teacher = "B" if gap > 0 else "A"
    to_b = 1 / (1 + math.exp(-2 * gap + (6 if place == 3 else 0)))
    return {
        "situation": f"Arrivals 2.0 a minute; rates A 2.0, B 0.5.\nJobs A {a}, B {b}.",
        "choices": ["A", "B"],
        "teacher": teacher,
        "student": "B" if to_b > 0.5 else "A",
        "probabilities": [1 - to_b, to_b],
        "costs": [max(0.0, gap), max(0.0, -gap)],
        "standard_errors": [0.11 if gap > 0 else 0.0, 0.0 if gap > 0 else 0.13],
        "valid": True,
        "greedy": "B" if to_b > 0.5 else "A",
    }


def _history() -> list[dict]:
    noise, rows = random.Random(5), []
    for step in range(1, 101):
        questions, fade = 16 * step, math.exp(-step / 18)
        terms = {
            "imitation": 0.12 + 0.7 * fade * noise.uniform(0.7, 1.3) + noise.uniform(0, 0.06),
            "regret": 0.004 + 0.3 * fade * noise.uniform(0.5, 1.5),
            "validity": 1e-4 + 2 * math.exp(-step / 6) * noise.uniform(0.5, 1.5),
        }
        rate = 1e-3 * (1 - step / 100)
        row = {"step": step, "questions": questions, "round": int(step > 75), "loss": sum(terms.values())}
        rows.append(row | terms | {"learning_rate": rate})
        if step % 10 == 0:
            tuned = {
                "tune_regret": 0.01 + 0.4 * fade,
                "tune_agreement": 0.96 - 0.4 * fade,
                "tune_validity": 0.9999,
            }
            rows.append({"step": step, "questions": questions} | tuned)
    return rows


def _environment() -> dict:
    return {
        "versions": {"python": "3.11.2", "torch": "2.13.0", "transformers": "5.23.0"},
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "machine": {"system": "Linux", "cores": 2, "memory_gb": 8},
    }


def _config() -> str:
    return """\
task:
  name: queueing
  simulator: queueing
  description: Jobs arrive one by one; a router sends each at once to one of several servers.
  heuristic: shortest_expected_delay
  parameters:
    default: {arrival_rate: 2.0, service_rates: [2.0, 0.5]}
student:
  name: smollm2-135m
distill:
  method: simdistill
  soft: 1.0
seed: 0
"""
