"""Benchmarks of training, end to end with a tiny student; stopped ones go on."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from simdistill.config import RunConfig, compose
from simdistill.data import store as questions
from simdistill.errors import InputError
from simdistill.evaluation.learning_curve import learning
from simdistill.files import read_json, read_lines
from simdistill.results import Learning, LearningPoint
from simdistill.runs.layout import Layout

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TINY = [
    "teacher.generations=1",
    "teacher.scenarios=4",
    "teacher.futures=4",
    "teacher.compared_sets=2",
    "distill.questions=16",
    "distill.forecasts=0",
    "distill.rounds=0",
    "distill.validation_questions=8",
    "distill.batch_size=4",
    "distill.validation_steps=1",
    "student.lora.r=2",
    "student.lora.layers=1",
    "student.dtype=float32",
    "workers=1",
    "threads=1",
]


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=BENCHMARKS.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def written(folder: Path) -> dict[Path, int]:
    """When the adapters were written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("adapter_model.safetensors")}


@pytest.fixture
def needs(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("learning")


@pytest.fixture
def sweep(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("sweep")


@pytest.mark.slow
def test_a_sweep_has_the_same_rates_for_every_method_and_goes_on(tiny_folder, tmp_path):
    results, folder = tmp_path / "sweep.json", tmp_path / "cells"
    # Methods without these fields leave them out under their old names.
    sampled = ["distill.grpo.questions=4", "distill.grpo.prompts=2", "distill.grpo.samples=2"]
    given = ["task=queueing", *TINY, *sampled, f"student.name={tiny_folder}", "--folder", str(folder)]
    given += ["--results", str(results), "--methods", "sft", "sft_grpo", "--seeds", "1000"]
    run("sweep.py", *given, "--rates", "1e-3")
    first = written(folder)
    told = run("sweep.py", *given, "--rates", "1e-3", "1e-2")
    assert first and first.items() <= written(folder).items()
    rows = read_json(results)
    assert [(row["method"], row["learning_rate"]) for row in rows] == [
        (method, rate) for method in ("sft", "sft_grpo") for rate in (1e-3, 1e-2)
    ]
    assert all(
        row["validation_regret"] >= 0 and row["seconds"] > 0 and row["seeds"] == [1000] for row in rows
    )
    assert "best learning rate" in told and "sft_grpo" in told
    begun = [
        written(folder / "sft_grpo" / rate / "seed1000" / "training/adapter-0") for rate in ("0.001", "0.01")
    ]
    assert len({*begun[0].values(), *begun[1].values()}) == 1, "the first stage was trained twice"
    for rate in ("0.001", "0.01"):
        lines = read_lines(folder / "sft_grpo" / rate / "seed1000" / "metrics.jsonl")
        assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3]


def test_the_best_rate_has_the_least_regret_and_no_failure(sweep):
    rows = [
        {"method": "sft", "learning_rate": rate, "validation_regret": regret}
        for rate, regret in ((3e-3, 0.5), (1e-3, 0.5), (1e-4, 0.7), (1e-2, None))
    ]
    assert sweep.best([*rows, {"method": "grpo", "learning_rate": 1e-4, "validation_regret": None}]) == {
        "sft": rows[1]
    }


def curve(*regrets: float, cost: float = 1.0) -> Learning:
    """A learning curve with a point every eight questions, which take so many seconds."""
    points = [
        LearningPoint(questions=8 * n, tokens=100 * n, seconds=cost * n, validation_regret=regret)
        for n, regret in enumerate(regrets, start=1)
    ]
    return Learning(points=points, heuristic=1.0)


def test_what_is_needed_is_compared_seed_by_seed(needs):
    curves = {
        "sft": {0: curve(2.0, 2.0, 2.0, 0.9, cost=1.0), 1: curve(0.9, 0.8, cost=4.0)},
        "simdistill": {0: curve(2.0, 1.0, 0.4, cost=1.0), 1: curve(0.5, 0.3, 0.7, cost=2.0)},
        "grpo": {1: curve(3.0, 3.0, 3.0, cost=10.0)},
    }
    rows = {row["measure"]: row for row in needs.compared("queueing", curves, "command")}
    values = {measure: row["value"] for measure, row in rows.items()}
    good, half = "queueing, as good as the heuristic", "queueing, half of the heuristic's gap closed"
    assert values[f"{good}: seconds, simdistill"] == pytest.approx(2.0)
    assert values[f"{good}: seconds, sft over simdistill"] == pytest.approx((4 / 2 * 4 / 2) ** 0.5)
    assert values[f"{half}: share of seeds that got there, sft"] == 0.0
    assert values[f"{half}: share of seeds that got there, simdistill"] == 1.0
    assert values[f"{half}: share of seeds there at the end, simdistill"] == 0.5  # one fell back to 0.7
    missed = " (2 of 2 of sft never got there)"
    assert values[f"{half}: questions, sft over simdistill{missed}"] == pytest.approx((4 / 3 * 2) ** 0.5)
    once = rows[f"{good}: seconds, grpo over simdistill (1 of 1 of grpo never got there)"]
    assert (once["value"], once["ci95"], once["target"]) == (pytest.approx(15.0), None, 10.0)


def test_runs_that_never_get_there_are_censored_at_their_full_budget(needs):
    curves = {
        "sft": {0: curve(2.0, 0.9), 1: curve(0.9, 0.9)},
        "simdistill": {0: curve(2.0, 2.0, 2.0, 2.0), 1: curve(0.9, 0.9)},
    }
    values = {row["measure"]: row["value"] for row in needs.compared("queueing", curves, "command")}
    missed = "(1 of 2 of simdistill never got there)"
    good = "queueing, as good as the heuristic: questions"
    assert values[f"{good}, simdistill {missed}"] == pytest.approx((32 * 8) ** 0.5)
    assert values[f"{good}, sft over simdistill {missed}"] == pytest.approx((16 / 32 * 8 / 8) ** 0.5)
    assert not any("half of the heuristic's gap closed: questions" in measure for measure in values)


def test_the_boards_results_are_what_is_measured(tmp_path):
    results = tmp_path / "learning.json"
    folder = BENCHMARKS / "results" / "cpu-v1"
    run("learning.py", str(folder), "--tasks", "queueing", "--results", str(results))
    measures = {row["measure"] for row in read_json(results)}
    assert "queueing, as good as the heuristic: share of seeds that got there, sft" in measures
    assert not any(measure.startswith("inventory") for measure in measures)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([str(BENCHMARKS / "nowhere")], "nowhere"),
        ([str(BENCHMARKS / "results" / "cpu-v1"), "--tasks", "quing"], "no result of simdistill on quing"),
    ],
)
def test_what_cannot_be_measured_is_told(arguments, message):
    command = [sys.executable, str(BENCHMARKS / "learning.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


def trained(monkeypatch, folder: Path, method: str, given: list[str]) -> tuple[str | None, RunConfig]:
    """Trains a cell; returns why it failed, and its settings."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    common = ["task=queueing", *given]
    config = compose([*common, f"method={method}", f"output={folder / method}"])[0]
    shared = [override for override in common if not override.startswith("method.")]
    lesson = compose([*shared, f"output={folder / 'lesson'}"])[0]
    return importlib.import_module("cells").train(config, lesson), config


def test_a_cell_made_with_other_settings_is_refused(monkeypatch, tiny_folder, tmp_path):
    given = [*TINY, f"student.name={tiny_folder}"]
    trained(monkeypatch, tmp_path, "sft", given)
    with pytest.raises(InputError, match="was made with other settings; remove it, or choose another"):
        trained(monkeypatch, tmp_path, "sft", [*given, "distill.questions=12"])
    assert not list(tmp_path.rglob("failed.json"))


def test_a_cell_that_never_answers_is_kept_as_failed(monkeypatch, tiny_folder, tmp_path):
    given = [*TINY, f"student.name={tiny_folder}", "teacher.scenarios=8", "distill.questions=48"]
    given += ["method.questions=44", "method.prompts=2", "method.samples=2", "distill.checkpoint_steps=1000"]
    for _ in range(2):
        why, config = trained(monkeypatch, tmp_path, "grpo", given)
        (failed,) = tmp_path.rglob("failed.json")
        assert why is not None and "no sampled answer of 20 steps in a row" in why
        assert why == read_json(failed)
        last, there = learning(config, Layout.of(tmp_path / "grpo")).until(0.0)
        assert last.questions == 38 and not there


def test_the_heuristics_regret_is_that_of_its_choices(monkeypatch, tiny_folder, tmp_path):
    _, config = trained(monkeypatch, tmp_path, "sft", [*TINY, f"student.name={tiny_folder}"])
    found = learning(config, Layout.of(tmp_path / "sft"))
    held_out = questions.load(Layout.of(tmp_path / "sft").validation)[:8]
    regrets = []
    for question in held_out:
        state = question.situation.state
        delays = [(jobs + 1) / rate for jobs, rate in zip(state["jobs"], state["service_rates"], strict=True)]
        regrets.append(question.costs_C[delays.index(min(delays))])
    assert found.heuristic == pytest.approx(sum(regrets) / len(regrets))
    assert [point.questions for point in found.points] == [4, 8, 12, 16]
