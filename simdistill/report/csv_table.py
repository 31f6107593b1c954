"""The table of results as CSV, in a link that holds the whole file, so that it needs no server."""

import csv
import io
from urllib.parse import quote

from simdistill.report.record import Record
from simdistill.statistics import Estimate

COLUMNS = (
    "task", "setting", "policy", "cost", "cost_low", "cost_high", "exact", "unstable", "replications",
    "over_reference", "over_reference_low", "over_reference_high",
)  # fmt: skip
"""Costs are in the task's unit; costs over the reference are fractions, 0.01 for 1%."""


def csv_table(record: Record) -> str:
    """Returns a row for each policy and setting, with 95% intervals; unknown values are empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for name in record.policies:
        for setting in record.settings:
            cost = record.cost(name, setting)
            if cost is None:
                continue
            row = [record.task.task, setting, name, *_numbers(cost.estimate)]
            row += [str(cost.exact).lower(), str(cost.unstable).lower(), cost.replications]
            writer.writerow([*row, *_numbers(record.over_reference(name, setting))])
    return text.getvalue()


def link(record: Record) -> str:
    """Returns the address of a link that holds the table."""
    return f"data:text/csv;charset=utf-8,{quote(csv_table(record))}"


def _numbers(value: Estimate | None) -> list[float | str]:
    """Returns the mean and the ends of the interval."""
    return ["", "", ""] if value is None else [value.mean, *(value.ci95 or ("", ""))]
