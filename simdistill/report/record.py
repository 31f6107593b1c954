"""What a finished run's folder says, with the look-ups that the report needs."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from simdistill.errors import InputError
from simdistill.files import read_json, read_lines
from simdistill.report.formats import words
from simdistill.statistics import Estimate

SETTINGS = {
    "default": "Default parameters",
    "in_distribution": "In distribution",
    "out_of_distribution": "Out of distribution",
}
ANCHORS = ("random", "untuned")


@dataclass(frozen=True)
class Record:
    """One run.

    Attributes:
        metrics: metrics.json.
        history: metrics.jsonl, one entry a line; empty where the file is missing.
        examination: examination.json; empty where the file is missing.
        environment: environment.json; empty where the file is missing.
        config: config.yaml.
        config_text: The same file as it was written.
    """

    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    examination: dict[str, Any]
    environment: dict[str, Any]
    config: dict[str, Any]
    config_text: str

    @property
    def policies(self) -> dict[str, dict[str, Any]]:
        """Policies by name, in the order of metrics.json."""
        return self.metrics["policies"]

    @property
    def reference(self) -> str:
        """Name of the policy that costs are compared with."""
        return self.metrics.get("reference", "optimum")

    @property
    def heuristic(self) -> str | None:
        """Name of what a practitioner would use, as the task says."""
        return self.metrics.get("heuristic") or (self.config.get("task") or {}).get("heuristic")

    @property
    def reference_words(self) -> str:
        """The reference inside a sentence."""
        return "the optimum" if self.reference == "optimum" else f"the {self.title(self.reference).lower()}"

    def title(self, name: str | None) -> str:
        """A policy's title, or its name as words."""
        name = name or ""
        return self.policies.get(name, {}).get("title") or words(name).capitalize()

    def cost(self, name: str, setting: str) -> dict[str, Any] | None:
        """A policy's cost entry in one setting; None where it wasn't examined."""
        return (self.policies.get(name, {}).get("cost") or {}).get(setting)

    def over_reference(self, name: str, setting: str) -> Estimate | None:
        """Cost over the reference's, minus one.

        The evaluation's own paired figure where there is one; else the ratio of the two means, without an
        interval, since intervals of unpaired costs say nothing about their ratio.
        """
        kept = {"student": "over_reference", "teacher": "teacher_over_reference"}.get(name, "")
        for entry in (self.policies.get(name, {}).get("over_reference"), self.metrics.get(kept)):
            found = Estimate.of((entry or {}).get(setting))
            if found is not None:
                return found
        own, best = Estimate.of(self.cost(name, setting)), Estimate.of(self.cost(self.reference, setting))
        return Estimate(own.mean / best.mean - 1) if own and best and best.mean else None

    def gap_closed(self, setting: str) -> Estimate | None:
        """Share of the heuristic's excess cost that the student saves; None where it is undefined."""
        return Estimate.of((self.metrics.get("heuristic_gap_closed") or {}).get(setting))


def read_record(run_folder: Path) -> Record:
    """Reads a run's folder.

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
    text = config.read_text(encoding="utf-8")
    record = Record(
        metrics=_read(metrics),
        history=_read(run_folder / "metrics.jsonl", default=[]),
        examination=_read(run_folder / "examination.json", default={}),
        environment=_read(run_folder / "environment.json", default={}),
        config=_read(config) or {},
        config_text=text,
    )
    if not isinstance(record.metrics, dict) or "student" not in record.metrics.get("policies", {}):
        raise InputError(
            f'{metrics} has no policy "student" to report on; '
            f"examine it again with simdistill evaluate {run_folder}"
        )
    return record


def _read(path: Path, default: Any = None) -> Any:
    if default is not None and not path.is_file():
        return default
    try:
        if path.suffix == ".yaml":
            return yaml.safe_load(path.read_text(encoding="utf-8"))
        return read_lines(path) if path.suffix == ".jsonl" else read_json(path)
    except (json.JSONDecodeError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} can't be read: {error}; restore it, or remove it and run again") from error
