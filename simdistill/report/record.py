"""The contents of a finished run's folder, with the look-ups that the report needs."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from simdistill.errors import InputError
from simdistill.evaluation.learning_curve import history
from simdistill.files import read_json
from simdistill.report.formats import words
from simdistill.results import SETTINGS, Cost, PolicyResults, Results, TaskResults
from simdistill.statistics import Estimate

TITLES: dict[str, str] = dict(
    zip(SETTINGS, ("Default parameters", "In distribution", "Out of distribution"), strict=True)
)
"""Setting -> its title on the page."""
ANCHORS = ("random", "untuned")
"""Policies that nobody would use; the axes' limits are computed without them."""


@dataclass(frozen=True)
class Record:
    """The contents of a run's folder about one of its tasks.

    Attributes:
        run: The results of the run.
        task: The results of the task.
        history: Rows of `metrics.jsonl`; empty if the file is missing.
        examination: The task's part of `examination.json`; empty if the file is missing.
        environment: Contents of `environment.json`; empty if the file is missing.
        config: Contents of `config.yaml`.
        config_text: Text of `config.yaml`.
        suffix: Suffix of the ids of the task's HTML elements; empty on a page with a single task.
    """

    run: Results
    task: TaskResults
    history: Sequence[Mapping[str, Any]]
    examination: Mapping[str, Any]
    environment: Mapping[str, Any]
    config: Mapping[str, Any]
    config_text: str
    suffix: str = ""

    def id(self, name: str) -> str:
        """Returns an HTML element's id that is unique on a page with several tasks."""
        return f"{name}{self.suffix}"

    @property
    def settings(self) -> dict[str, str]:
        """Setting in which the student was examined -> its title."""
        return {setting: title for setting, title in TITLES.items() if self.cost("student", setting)}

    @property
    def policies(self) -> dict[str, PolicyResults]:
        """Policies by name, in the order of `metrics.json`."""
        return self.task.policies

    @property
    def reference(self) -> str:
        """Name of the policy that costs are compared with."""
        return self.task.reference

    @property
    def heuristic(self) -> str:
        """Name of the policy that a practitioner would use, as given in the task."""
        return self.task.heuristic

    @property
    def task_config(self) -> Mapping[str, Any]:
        """The task's part of the configuration."""
        return self.config.get("task") or {}

    @property
    def reference_words(self) -> str:
        """Words for the reference within a sentence."""
        return "the optimum" if self.reference == "optimum" else f"the {self.title(self.reference).lower()}"

    def title(self, name: str) -> str:
        """Returns a policy's title; for an unknown policy its name as words."""
        return self.policies[name].title if name in self.policies else words(name).capitalize()

    def cost(self, name: str, setting: str) -> Cost | None:
        """Returns a policy's cost in one setting; None if the policy wasn't examined there."""
        return self.policies[name].cost[setting] if name in self.policies else None

    def unstable(self, name: str, setting: str) -> bool:
        """Returns whether queues grow without bound under a policy."""
        cost = self.cost(name, setting)
        return cost is not None and cost.unstable

    def over_reference(self, name: str, setting: str) -> Estimate | None:
        """Returns a policy's cost over the reference's, minus one; None if either cost is unknown."""
        return self.policies[name].over_reference[setting] if name in self.policies else None


def read_records(run_folder: Path) -> list[Record]:
    """Reads a run's folder; returns one record for each task.

    Raises:
        InputError: If there is no finished examination in the folder, or a file can't be read.
    """
    metrics, config = run_folder / "metrics.json", run_folder / "config.yaml"
    for path in (metrics, config):
        if not path.is_file():
            raise InputError(
                f"{run_folder} has no {path.name}, so there is nothing to report yet; "
                f"finish the run with: simdistill run {shlex.quote(f'resume={run_folder}')}"
            )
    results = Results.read(metrics)
    examined = _by_task(_read(run_folder / "examination.json", default={}), results)
    return [
        Record(
            run=results,
            task=task,
            history=_history(run_folder),
            examination=examined.get(task.task, {}),
            environment=_read(run_folder / "environment.json", default={}),
            config=_read(config) or {},
            config_text=config.read_text(encoding="utf-8"),
            suffix=f"-{task.task}" if len(results.tasks) > 1 else "",
        )
        for task in results.tasks
    ]


def _by_task(examination: Mapping[str, Any], results: Results) -> dict[str, Mapping[str, Any]]:
    """Returns task's name -> its part of `examination.json`; an older file is about the only task."""
    if "tasks" not in examination:
        return {results.tasks[0].task: examination}
    return {part["task"]: part for part in examination["tasks"]}


def _history(run_folder: Path) -> list[dict]:
    try:
        return history(run_folder)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise _unreadable(run_folder / "metrics.jsonl", error) from error


def _read(path: Path, default: Any = None) -> Any:
    if default is not None and not path.is_file():
        return default
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) if path.suffix == ".yaml" else read_json(path)
    except (json.JSONDecodeError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} can't be read: {error}; restore it, or remove it and run again")
