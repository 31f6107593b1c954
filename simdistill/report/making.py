"""The making of a run: time and work by stage, the teacher's generations, versions, and failures."""

from collections.abc import Sequence
from typing import Any

from simdistill.report import formats
from simdistill.report.record import Record


def making(records: Sequence[Record]) -> dict[str, Any]:
    """Returns the values that the page's last part shows, about the making of a run.

    Args:
        records: One record for each task of the run.
    """
    first = records[0]
    return {
        "stages": _stages(first),
        "counts": _counts(records),
        "generations": [generation for record in records for generation in record.task.generations],
        "environment": _environment(first),
        "failed": [failure for record in records for failure in record.task.failed_rollouts],
    }


def _stages(record: Record) -> list[tuple[str, float, float]]:
    """Returns, for each stage, its name, its seconds, and these as a share of the longest stage's."""
    seconds = record.run.seconds
    longest = max([*seconds.values(), 1e-9])
    return [(formats.words(stage), spent, spent / longest) for stage, spent in seconds.items()]


def _counts(records: Sequence[Record]) -> list[tuple[str, str]]:
    run = records[0].run
    rows = [(f"tokens {name}", formats.count(n)) for name, n in run.tokens.model_dump().items()]
    steps = [record.task.simulator_steps.model_dump() for record in records]
    rows += [
        (f"simulator steps to {formats.words(name)}", formats.count(sum(of_task[name] for of_task in steps)))
        for name in steps[0]
    ]
    return [*rows, ("peak memory", f"{formats.count(run.peak_memory_mb)} MB")]


def _environment(record: Record) -> list[tuple[str, str]]:
    rows: list[tuple[str, Any]] = [("method", record.run.method), ("seed", record.run.seed)]
    for key, value in record.environment.items():
        rows += value.items() if isinstance(value, dict) else [(key, value)]
    return [(formats.words(str(key)), str(value)) for key, value in rows if value is not None]
