"""The report's page: the contents of a run's files, arranged for a reader, task by task."""

from pathlib import Path
from typing import Any

from markupsafe import Markup

from simdistill.files import write_text
from simdistill.report.csv_table import link
from simdistill.report.example import example
from simdistill.report.figures.figure import rendered, shown
from simdistill.report.headline import byline, facts, headline, tiles, verdict
from simdistill.report.making import making
from simdistill.report.policy_table import confirmation, policy_rows
from simdistill.report.record import Record, read_records
from simdistill.report.templates import templates


def write_report(run_folder: Path) -> Path:
    """Writes `report.html` of a finished run.

    Args:
        run_folder: Folder with config.yaml and metrics.json; metrics.jsonl, examination.json and
            environment.json are optional, and each adds its parts to the page.

    Returns:
        Path of the page.

    Raises:
        InputError: If the run isn't finished, or one of its files can't be read.
    """
    records = read_records(Path(run_folder))
    page = (
        templates(Path(__file__).parent)
        .get_template("report.html.j2")
        .render(
            byline=byline(records[0]),
            tasks=[task_part(record) for record in records],
            making=rendered("making.html.j2", record=records[0], **making(records)),
        )
    )
    path = Path(run_folder) / "report.html"
    # A lone surrogate, which JSON can contain but UTF-8 can't, becomes a question mark.
    write_text(path, page.encode("utf-8", "replace").decode("utf-8"))
    return path


def task_part(record: Record) -> Markup:
    """Returns one task's part of the page."""
    return rendered("task.html.j2", **contents(record))


def contents(record: Record) -> dict[str, Any]:
    """Returns the values that a task's part of the page shows; values without data are None or empty."""
    return {
        "record": record,
        "byline": byline(record),
        "time_unit": record.task_config.get("time_unit", "minute"),
        "headline": headline(record),
        "tiles": tiles(record),
        "verdict": verdict(record),
        "facts": facts(record),
        "instead": record.task.said_instead_of_choices,
        "policies": policy_rows(record),
        "settings": record.settings,
        "confirmation": confirmation(record),
        "csv": link(record),
        "figures": shown(record),
        "questions": [example(entry) for entry in record.examination.get("questions") or []],
    }
