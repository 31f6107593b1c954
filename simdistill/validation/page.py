"""The page of a comparison: one self-contained HTML file with a table and a picture for each figure."""

import math
from pathlib import Path

from simdistill.files import write_text
from simdistill.report import formats
from simdistill.report.templates import templates
from simdistill.validation.comparison import POWER, Verdict
from simdistill.validation.pictures import picture
from simdistill.validation.table import cells, headline, outcome
from simdistill.validation.validate import Validation


def write_page(found: Validation, path: Path) -> None:
    """Writes the page.

    Args:
        found: The comparison.
        path: The file.
    """
    page = templates(Path(__file__).parent).get_template("validation.html.j2")
    lines = [
        (one, cells(one), outcome(one), picture(number, one)) for number, one in enumerate(found.comparisons)
    ]
    text = page.render(
        found=found,
        headline=headline(found),
        lines=lines,
        colours={Verdict.EQUIVALENT: "ok", Verdict.DIFFERENT: "bad", Verdict.TOO_WIDE: "open"},
        level=formats.trimmed(100 * (1 - found.confidence)),
        power=f"{POWER:.0%}",
        end=f"{found.subject.until:g}" if math.isfinite(found.subject.until) else "",
    )
    write_text(path, text.encode("utf-8", "replace").decode("utf-8"))
