"""The student's mistakes: the worst of them, what they cost, and how much of the regret they explain."""

from typing import Any

from simdistill.report.record import Record


def mistakes(record: Record) -> dict[str, Any]:
    """Returns the values that the page shows of the student's mistakes; empty if none are known."""
    found = record.examination.get("mistakes")
    if not found:
        return {}
    return {
        "rows": found["worst"],
        "explained": sum(row["share"] for row in found["worst"]),
        "more": found["states"] - len(found["worst"]),
        "states": found["states"],
        "frequency": found["frequency"],
        "regret": found["regret"],
        "parameters": found["parameters"],
        "unit": record.task_config.get("cost_unit", "cost"),
        "by_fit": found["by_fit"],
        "visited_by": record.title(found["visited_by"]).lower(),
        "unstable": found["visited_by"] != "student",
    }
