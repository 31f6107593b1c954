"""The student's mistakes: the worst of them, what they cost, and how much of the regret they explain."""

from collections.abc import Mapping
from typing import Any

from simdistill.report import formats
from simdistill.report.figures.figure import Figure, Shown, rendered
from simdistill.report.record import Record


class Mistakes(Figure):
    """The situations in which the student's choices cost most."""

    order = 17

    def __call__(self, record: Record) -> Shown | None:
        found = record.examination.get("mistakes")
        if not found:
            return None
        markup = rendered("mistakes.html.j2", rows=found["worst"], parameters=found["parameters"])
        return Shown("What it gets wrong, and what that costs", markup, _caption(record, found))


def _caption(record: Record, found: Mapping[str, Any]) -> str:
    states, worst = found["states"], found["worst"]
    unit = record.task_config.get("cost_unit", "cost")
    begin = "By the teacher's fit, which estimates what each choice costs, the" if found["by_fit"] else "The"
    parts = [
        f"{begin} student doesn't take the best choice in {formats.count(states)} state"
        f"{'s' if states != 1 else ''}, in which {formats.percent(found['frequency'])} of the decisions are "
        f"made. A decision costs {formats.number(found['regret'])} too much on average ({unit})."
    ]
    if states > len(worst):
        explained = formats.percent(sum(row["share"] for row in worst))
        parts.append(f"The {len(worst)} worst explain {explained} of it.")
    if found["visited_by"] != "student":
        under = record.title(found["visited_by"]).lower()
        parts.append(
            "Queues keep growing under the student, so states count as often as they occur under the "
            f"{under}."
        )
    return " ".join(parts)
