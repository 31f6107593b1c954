"""The table of policies: the cost of each in each setting, exact and simulated."""

from typing import Any

from simdistill.report.record import Record
from simdistill.results import Simulated
from simdistill.statistics import Estimate


def policy_rows(record: Record) -> list[dict[str, Any]]:
    """Returns a row for each policy, with a cell for each setting."""
    roles = {record.heuristic: "the practitioner's heuristic", record.reference: "the reference"}
    return [
        {
            "title": record.title(name),
            "role": roles.get(name, ""),
            "cells": [_cell(record, name, setting) for setting in record.settings],
        }
        for name in record.policies
    ]


def _cell(record: Record, name: str, setting: str) -> dict[str, Any]:
    cost = record.cost(name, setting)
    if cost is None:
        return {"cost": None, "unstable": False}
    over = record.over_reference(name, setting) if name != record.reference else None
    return {
        "cost": cost.estimate,
        "unstable": cost.unstable,
        "growth": cost.growth,
        "over": over if cost.estimate else None,
        "exact": cost.exact,
        "replications": cost.replications,
        "simulated": _simulated(cost.simulated),
    }


def _simulated(found: Simulated | None) -> Estimate | None:
    return found and Estimate.of({"mean": found.mean, "ci95": found.ci95})


def confirmation(record: Record) -> dict[str, int] | None:
    """Returns the number of exact costs inside their simulation's 95% interval, and of all simulated ones."""
    inside = [
        simulated.low <= exact.mean <= simulated.high
        for name in record.policies
        for setting in record.settings
        if (cost := record.cost(name, setting)) and cost.exact
        if (exact := cost.estimate) and (simulated := _simulated(cost.simulated)) and simulated.ci95
    ]
    return {"inside": sum(inside), "of": len(inside)} if inside else None
