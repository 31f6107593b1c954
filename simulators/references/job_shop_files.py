"""Files of job-shop instances, in the usual layout or in Taillard's."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

from simdistill.errors import InputError

log = logging.getLogger(__name__)

Operation = tuple[int, float]
"""Machine and duration in minutes."""

Routes = tuple[tuple[Operation, ...], ...]
"""The operations of each job in their order."""

_LABELS = (
    (re.compile(r"(processing )?(times?|durations?)\b", re.IGNORECASE), "times"),
    (re.compile(r"machines?( orders?)?\b[^,]*$", re.IGNORECASE), "machines"),
    (re.compile(r"(nb|no|number)\b.*jobs|jobs\b.*machines", re.IGNORECASE), "counts"),
)
"""Patterns of lines of words in Taillard's files, and the names of the rows below them."""


@dataclass(frozen=True)
class _Line:
    """A line of whole numbers, and its place in the file."""

    place: str
    numbers: list[int]

    def __str__(self) -> str:
        return " ".join(map(str, self.numbers))


def parse(text: str, source: str) -> Routes:
    """Reads an instance in the usual layout or in Taillard's.

    The usual layout has the numbers of jobs and machines, then a row of pairs for each job: machine,
    duration. Taillard's has the numbers of jobs and machines (and of seeds and bounds), then a row of times
    for each job, then a row of machines for each; lines that say "Times" and "Machines" may stand above
    (EJOR 64, 1993). Machines are numbered from 0 or from 1; the latter is logged.

    Args:
        text: Text of the instance; empty lines, lines of signs alone, what follows a #, and a title above the
            numbers are ignored.
        source: Name of the text in error messages.

    Raises:
        InputError: If a row or a machine is missing, or a number is invalid or out of bounds.
    """
    blocks = _blocks(text, source)
    jobs, machines, rows = _counts(blocks, source)
    if "times" in blocks or "machines" in blocks or len(rows) == 2 * jobs:
        times_JN, order_JN, places = _taillard(blocks, rows, jobs, machines, source)
    else:
        times_JN, order_JN, places = _usual(rows, jobs, machines, source)
    for place, times in zip(places, times_JN, strict=True):
        if min(times) < 0:
            raise InputError(f"{place}: a duration is negative, {min(times)}")
    first = _first_machine(order_JN, places, machines)
    if first:
        log.warning("%s: machines are numbered from 1 there, and from 0 in states and logs", source)
    return tuple(
        tuple((machine - first, minutes) for machine, minutes in zip(order, times, strict=True))
        for order, times in zip(order_JN, times_JN, strict=True)
    )


def _blocks(text: str, source: str) -> dict[str, list[_Line]]:
    """Returns the lines of numbers below each line of words; those before any line of words are "counts"."""
    blocks: dict[str, list[_Line]] = {"counts": []}
    below = "counts"
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        line = line.partition("#")[0].strip()
        if not any(sign.isalnum() for sign in line):
            continue
        title = below == "counts" and not blocks[below] and line[0] not in "+-0123456789"
        label = next((name for pattern, name in _LABELS if pattern.match(line)), None)
        if label is not None:
            if blocks.get(label):
                raise InputError(
                    f"{source}, line {number}: {line!r} comes a second time; put one instance in a file"
                )
            below = label
            blocks.setdefault(label, [])
            continue
        if not title:
            place = f"{source}, line {number}"
            blocks[below].append(_Line(place, [_whole(found, place) for found in line.split()]))
    return blocks


def _whole(text: str, place: str) -> int:
    if not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
        raise InputError(
            f"{place}: only whole numbers may stand below the comments: found {text!r}; # begins a comment"
        )
    return int(text)


def _counts(blocks: dict[str, list[_Line]], source: str) -> tuple[int, int, list[_Line]]:
    """Returns the numbers of jobs and machines, and the rows that follow before any line of words."""
    lines = blocks["counts"]
    if not lines and blocks.get("times"):
        return len(blocks["times"]), len(blocks["times"][0].numbers), []
    if not lines or len(lines[0].numbers) not in (2, 6) or min(lines[0].numbers[:2]) < 1:
        found = str(lines[0]) if lines else "nothing"
        raise InputError(f"{source}: must begin with the numbers of jobs and machines, found {found!r}")
    return lines[0].numbers[0], lines[0].numbers[1], lines[1:]


def _usual(
    rows: Sequence[_Line], jobs: int, machines: int, source: str
) -> tuple[list[list[int]], list[list[int]], list[str]]:
    """Returns durations and machines of each job (axes J job, N operation), and where they stand."""
    if len(rows) != jobs:
        raise InputError(f"{source}: {jobs} jobs are announced, {len(rows)} rows follow")
    places = [f"{row.place}: row {job} of {jobs}" for job, row in enumerate(rows, 1)]
    for place, row in zip(places, rows, strict=True):
        if len(row.numbers) != 2 * machines:
            found = f"{len(row.numbers)} numbers found"
            raise InputError(f"{place}: {machines} pairs of machine and duration expected, {found}")
    return [row.numbers[1::2] for row in rows], [row.numbers[::2] for row in rows], places


def _taillard(
    blocks: dict[str, list[_Line]], rows: Sequence[_Line], jobs: int, machines: int, source: str
) -> tuple[list[list[int]], list[list[int]], list[str]]:
    """Returns what `_usual` returns, read from Taillard's layout."""
    if "times" not in blocks and "machines" not in blocks:
        parts = {"times": list(rows[:jobs]), "machines": list(rows[jobs:])}
    else:  # if only one of the two lines of words is there, the rows before it are the others
        parts = {name: blocks.get(name) or list(rows) for name in ("times", "machines")}
    for name, lines in parts.items():
        if len(lines) != jobs:
            raise InputError(f"{source}: {jobs} jobs are announced, {len(lines)} rows of {name} follow")
        for job, line in enumerate(lines, 1):
            if len(line.numbers) != machines:
                raise InputError(
                    f"{line.place}: row {job} of {jobs} rows of {name}: {machines} numbers expected, "
                    f"{len(line.numbers)} found"
                )
    places = [f"{line.place}: row {job} of {jobs}" for job, line in enumerate(parts["machines"], 1)]
    return [line.numbers for line in parts["times"]], [line.numbers for line in parts["machines"]], places


def _first_machine(order_JN: Sequence[Sequence[int]], places: Sequence[str], machines: int) -> int:
    """Returns the number of the first machine, 0 or 1.

    Raises:
        InputError: If a job doesn't visit each machine once.
    """
    first = 1 if all(0 not in order for order in order_JN) and min(map(min, order_JN)) == 1 else 0
    for place, order in zip(places, order_JN, strict=True):
        if missing := sorted(set(range(first, machines + first)) - set(order)):
            raise InputError(
                f"{place}: machine {missing[0]} is missing; each job visits {first} to "
                f"{machines + first - 1} once"
            )
    return first
