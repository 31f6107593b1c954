"""A run of queueing that takes seconds, with a tiny student: its overrides, and what it leaves."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

SMALL = [
    "task=queueing",
    "teacher.generations=1",
    "teacher.scenarios=8",
    "teacher.futures=4",
    "teacher.compared_sets=2",
    "task.horizon=100",
    "task.warm_up=20",
    "distill.questions=48",
    "distill.forecasts=8",
    "teacher.forecast_futures=4",
    "distill.rounds=1",
    "distill.round_questions=16",
    "distill.round_states_per_episode=2",
    "distill.validation_questions=8",
    "distill.batch_size=8",
    "distill.checkpoint_steps=2",
    "student.lora.r=2",
    "student.lora.layers=2",
    "student.dtype=float32",
    "evaluation.parameter_sets=1",
    "evaluation.replications=2",
    "evaluation.tabulated_mass=0.5",
    "evaluation.questions_shown=2",
    "evaluation.forecasts=4",
    "evaluation.forecast_futures=16",
    "workers=1",
    "threads=1",
]


@pytest.fixture(scope="session")
def tiny_run() -> list[str]:
    """Overrides of the run, without those of student and folder."""
    return SMALL


@pytest.fixture(scope="session")
def small() -> Callable:
    """Composes the run's configuration: student, folder and further overrides -> configuration."""
    from simdistill.config import compose

    def composed(student: Path, output: Path, *overrides: str):
        return compose([*SMALL, f"student.name={student}", f"output={output}", *overrides])[0]

    return composed


@pytest.fixture(scope="session")
def finished(small, tiny_folder, tmp_path_factory) -> Path:
    """The folder of such a run, finished; tests mustn't change it."""
    from simdistill.runs import pipeline

    return pipeline.run(small(tiny_folder, tmp_path_factory.mktemp("runs") / "run"), Console(quiet=True))
