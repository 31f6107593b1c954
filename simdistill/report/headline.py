"""The head of a page: the student's distance from the reference, and its comparison with the heuristic."""

from typing import Any

from simdistill.report import formats
from simdistill.report.record import Record


def byline(record: Record) -> list[str]:
    """Returns the parts of the byline: task, student, method and seed."""
    student = (record.config.get("student") or {}).get("name")
    parts = (record.task.task, student, record.run.method, f"seed {record.run.seed}")
    return ["simdistill", *(str(part) for part in parts if part)]


def headline(record: Record) -> dict[str, str]:
    """Returns the parts of the heading: words before a figure, the figure, words after it, the parameters."""
    task = formats.words(record.task.task)
    default = (record.task_config.get("parameters") or {}).get("default")
    where = "at the default parameters" + (f": {formats.parameters(default)}" if default else "")
    over = record.over_reference("student", "default")
    if over is None:
        unstable = record.unstable("student", "default")
        text = f"lets {task} grow without end" if unstable else f"ran {task}"
        return {"before": f"The student {text}", "figure": "", "after": "", "where": where}
    return {
        "before": f"The student runs {task} at",
        "figure": formats.percent(abs(over.mean)),
        "after": f"{'below' if over.mean < 0 else 'above'} {record.reference_words}",
        "where": where,
    }


def tiles(record: Record) -> list[dict[str, Any]]:
    """Returns the values of one tile for each setting."""
    return [
        {
            "title": title,
            "over": record.over_reference("student", setting),
            "unstable": record.unstable("student", setting),
            "exact": (cost := record.cost("student", setting)) and cost.exact,
            "teacher": record.over_reference("teacher", setting),
            "heuristic": record.over_reference(record.heuristic, setting),
            "gap": record.task.measure("heuristic_gap_closed", setting),
            "verdict": _compared(record, setting),
        }
        for setting, title in record.settings.items()
    ]


def verdict(record: Record) -> str:
    """Returns a sentence on whether the student is better than the heuristic, by the gap's interval."""
    places: dict[str, list[str]] = {"better": [], "not clearly different": [], "worse": [], "undecided": []}
    for setting, title in record.settings.items():
        places[_compared(record, setting)].append(("at the " if setting == "default" else "") + title.lower())
    name = record.title(record.heuristic).lower()
    found = {word: where for word, where in places.items() if where}
    if not found:
        return ""
    if list(found) == ["undecided"]:
        return f"How it compares with the practitioner's heuristic ({name}) could not be decided."
    parts = []
    for word, where in found.items():
        everywhere = len(found) == 1 and len(where) > 1
        parts.append(f"{word} {'everywhere it was examined' if everywhere else formats.listing(where)}")
    return f"Against the practitioner's heuristic ({name}), the student is {'; '.join(parts)}."


def _compared(record: Record, setting: str) -> str:
    gap = record.task.measure("heuristic_gap_closed", setting)
    if record.unstable("student", setting):
        return "worse"
    if record.unstable(record.heuristic, setting):
        return "better"
    if gap is None:
        return "undecided"
    low, high = gap.ci95 or (gap.mean, gap.mean)
    return "better" if low > 0 else "worse" if high < 0 else "not clearly different"


def facts(record: Record) -> list[tuple[str, str]]:
    """Returns further facts about the run, as names and values."""
    run = record.run
    return [
        ("valid answers", _valid(record)),
        ("decisions per second", formats.number(run.decisions_per_second)),
        ("from start to report", formats.duration(sum(run.seconds.values()))),
        ("questions learned from", formats.count(run.questions)),
        ("perplexity of plain English", formats.number(run.perplexity["student"])),
        ("the same before training", formats.number(run.perplexity["untuned"])),
    ]


def _valid(record: Record) -> str:
    lenient = record.task.lenient_answers
    more = f", {formats.share(lenient)} more in another form" if lenient else ""
    return formats.share(record.task.valid_answers) + more
