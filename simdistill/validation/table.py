"""A comparison in the terminal: a table, what isn't compared, and a verdict on the whole."""

import math

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from simdistill.report import formats
from simdistill.validation.comparison import Comparison, Verdict
from simdistill.validation.validate import Validation

COLOURS = {Verdict.EQUIVALENT: "green", Verdict.DIFFERENT: "bold red", Verdict.TOO_WIDE: "yellow"}


def show(found: Validation, console: Console) -> None:
    """Prints a table with a line for each figure, what isn't compared, and a verdict on the whole."""
    heads = ("original", "model", "difference", f"interval, {found.interval}", "margin", "p (TOST)")
    table = Table("figure", box=None)
    for head in heads:
        table.add_column(head, justify="right")
    table.add_column("verdict")
    for one in found.comparisons:
        colour = COLOURS[one.verdict]
        table.add_row(escape(one.name), *cells(one), f"[{colour}]{outcome(one)}[/]")
    console.print(table)
    for line in [*(f"{one.name}: {one.note}" for one in found.comparisons if one.note), *unmatched(found)]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(summary(found), markup=False, highlight=False, soft_wrap=True)


def cells(one: Comparison) -> tuple[str, str, str, str, str, str]:
    """Returns what a table shows of a figure: means, difference, interval, margin, and p-value."""
    digits = max(formats.decimals(value) for value in (one.original.mean, one.margin or one.difference))
    original, model, difference, low, high = (
        formats.NOTHING if math.isnan(value) else formats.fixed(value, digits)
        for value in (one.original.mean, one.model.mean, one.difference, one.low, one.high)
    )
    if one.relative is not None and math.isfinite(one.relative):
        difference += f" ({formats.percent(one.relative)})"
    margin = formats.NOTHING if math.isnan(one.margin) else f"± {formats.fixed(one.margin, digits)}"
    p = "<0.001" if one.p_equivalent < 0.001 else f"{one.p_equivalent:.3f}"
    return original, model, difference, f"{low} to {high}", margin, p


def outcome(one: Comparison) -> str:
    """Returns a figure's verdict, with the replications that would be enough where it is open."""
    needed = f", {one.needed:,} replications of each would do" if one.needed else ""
    return f"{one.verdict}{needed}"


def unmatched(found: Validation) -> list[str]:
    """Returns a line for the figures of either side alone."""
    sides = (("original", found.only_original), ("model", found.only_model))
    return [f"only in the {side}: {', '.join(names)}" for side, names in sides if names]


def headline(found: Validation) -> str:
    """Returns the verdict on the whole."""
    subject = found.subject
    who = f"{subject.name} under '{subject.policy_name}'"
    if found.equivalent:
        return f"{who} is equivalent to {found.against}"
    does = "differs" if found.count(Verdict.DIFFERENT) else "may differ"
    return f"{who} {does} from {found.against}"


def summary(found: Validation) -> str:
    """Returns the verdict on the whole, how many figures have which, and what would help."""
    counts = [(found.count(verdict), verdict) for verdict in Verdict]
    told = ", ".join(f"{count} {verdict}" for count, verdict in counts if count)
    advice = f"; try {found.needed:,} replications of each" if found.needed else ""
    figures = f"{len(found.comparisons)} figure{'s' * (len(found.comparisons) != 1)}"
    return f"{headline(found)}; of {figures}: {told}{advice}"
