"""CSV files as spreadsheets write them: what has one reading is read, what has several is refused.

Separators may be commas, semicolons, tabs or bars; numbers may have decimal commas. Errors name the file, the
line, the column and the value.
"""

import csv
import difflib
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from simdistill.errors import InputError
from simdistill.files import read_text

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = 24 * 60 * 60
"""Seconds of a day."""

_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORT = {"tues": 1, "weds": 2, "thur": 3, "thurs": 3}
_DAY_NUMBERS = {**{name: i for names in (DAYS, _NAMES) for i, name in enumerate(names)}, **_SHORT}
_WORKING, _WEEKEND = tuple(range(5)), (5, 6)
_GROUPS = {
    "weekday": _WORKING,
    "weekdays": _WORKING,
    "weekend": _WEEKEND,
    "weekends": _WEEKEND,
    "daily": (*_WORKING, *_WEEKEND),
    "every day": (*_WORKING, *_WEEKEND),
}

_SEPARATORS = ",;\t|"
_NOTHING = "\x1f"
"""A sign that no text has."""
_RANGE = re.compile(r"\s*[-–—]\s*|\s+(?:to|through)\s+")
_LIST = re.compile(r"\s*[,;/+&|]\s*|\s+and\s+|\s+")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,]0+)?)?\s*([ap]m)?|(\d{1,2})\s*([ap]m)", re.IGNORECASE)

_PLAIN = re.compile(r"[+-]?(?:\d+(\.?)\d*|(\.)\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)
_THOUSAND_OR_DECIMAL = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_GROUPED = (
    re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:(\.)\d+)?", re.ASCII),
    re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:(,)\d+)?", re.ASCII),
    re.compile(r"[+-]?[1-9]\d{0,2}(?:[ '’\u00a0\u202f]\d{3})+(?:([.,])\d+)?", re.ASCII),
)


@dataclass
class Table:
    """The lines of a CSV file below its header; empty lines are left out.

    Attributes:
        path: The file.
        columns: Names in the header.
        rows: The lines.
    """

    path: Path | str
    columns: tuple[str, ...]
    rows: list["Row"] = field(default_factory=list)
    _mark: tuple[str, str] | None = None
    """The sign before decimals, and where it was first seen."""

    def decimal(self, row: "Row", column: str, mark: str) -> None:
        """Notes the sign before a number's decimals.

        Raises:
            InputError: If another number of the file has the other sign.
        """
        if self._mark is None:
            self._mark = mark, f"line {row.line}, column '{column}': {row.text(column)!r}"
        if self._mark[0] != mark:
            raise row.error(
                column,
                f"has '{mark}' where {self._mark[1]} has '{self._mark[0]}': write decimals alike in one file",
            )


@dataclass(frozen=True)
class Row:
    """A line of a CSV file."""

    table: Table
    line: int
    values: dict[str, str]

    def text(self, column: str) -> str:
        """Returns a value without spaces around it."""
        return self.values[column].strip()

    def number(self, column: str) -> float:
        """Returns a number of at least 0; decimals may follow a point or a comma."""
        value = self.any_number(column)
        if not 0 <= value < math.inf:
            raise self.error(column, "must be a number of at least 0")
        return value

    def any_number(self, column: str) -> float:
        """Returns a number that may be negative, infinite or NaN, and written as in `number`."""
        text = self.text(column)
        if found := _PLAIN.fullmatch(text):
            if found[1] or found[2]:
                self.table.decimal(self, column, ".")
            return float(text)
        if _THOUSAND_OR_DECIMAL.fullmatch(text):
            whole, decimals = text.replace(",", ""), text.replace(",", ".")
            raise self.error(column, f"may be {whole} or {decimals}: write it as one of these")
        if _DECIMAL_COMMA.fullmatch(text):
            self.table.decimal(self, column, ",")
            return float(text.replace(",", "."))
        for grouped in _GROUPED:
            if found := grouped.fullmatch(text):
                if found[1]:
                    self.table.decimal(self, column, found[1])
                whole, _, decimals = text.rpartition(found[1]) if found[1] else (text, "", "")
                return float(re.sub(r"[^\d+-]", "", whole) + "." + decimals)
        if text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
            return float(text)
        raise self.error(column, "is no number")

    def whole(self, column: str) -> int:
        """Returns a whole number of at least 0; 3.0 is one."""
        value = self.number(column)
        if not value.is_integer():
            raise self.error(column, "must be a whole number of at least 0")
        return int(value)

    def clock(self, column: str) -> int:
        """Returns seconds since midnight of a time such as 08:30, 08:30:00 or 8:30 am."""
        found = _CLOCK.fullmatch(self.text(column))
        if not found:
            raise self.error(column, "is no time of day such as 08:30")
        hours, minutes, seconds = int(found[1] or found[5]), int(found[2] or 0), int(found[3] or 0)
        if half := (found[4] or found[6] or "").lower():
            if not 1 <= hours <= 12:
                raise self.error(column, f"is no time of day: before {half} hours go from 1 to 12")
            hours = hours % 12 + (12 if half == "pm" else 0)
        if max(minutes, seconds) > 59 or (time := hours * 3600 + minutes * 60 + seconds) > DAY:
            raise self.error(column, "is no time of day between 00:00 and 24:00")
        return time

    def hour(self, column: str) -> int:
        """Returns a count of hours: 8, 08 and 08:00 are the same."""
        text = self.text(column)
        whole, colon, rest = text.partition(":")
        if colon and whole.isdecimal() and rest in ("00", "00:00"):
            return int(whole)
        return self.whole(column)

    def days(self, column: str) -> list[int]:
        """Returns the days that a value names, from 0 for Monday: mon, Monday, Fri-Mon, Mon/Wed, weekdays."""
        text = _RANGE.sub("-", self.text(column).lower())
        names = [text] if text in _GROUPS else _LIST.split(text)
        found = [day for name in names for day in self._days(column, name)]
        for day in found:
            if found.count(day) > 1:
                raise self.error(column, f"names {DAYS[day]} twice")
        return found

    def _days(self, column: str, name: str) -> list[int]:
        if name in _GROUPS:
            return list(_GROUPS[name])
        ends = [_DAY_NUMBERS.get(end.removesuffix(".")) for end in name.split("-")]
        if len(ends) > 2 or any(end is None for end in ends):
            raise self.error(
                column,
                f"is none of {', '.join(DAYS)}, nor a range such as mon-fri, a list such as mon/wed, "
                "weekdays, weekend or daily",
            )
        first, last = ends[0] or 0, ends[-1] or 0
        if len(ends) == 2 and first == last:
            raise self.error(column, f"may be one day or a week: write {DAYS[first]} or daily")
        return [(first + later) % 7 for later in range((last - first) % 7 + 1)]

    def error(self, column: str, reason: str) -> InputError:
        """Returns an error that says where the value is."""
        return InputError(
            f"{self.table.path}, line {self.line}, column '{column}': {self.text(column)!r} {reason}"
        )


def read(path: Path | str, columns: Sequence[str]) -> Table:
    """Reads a file that has these columns.

    Raises:
        InputError: If it can't be read, lacks a column, has one twice, or a line doesn't fit the header.
    """
    try:
        text, skipped = read_text(path), 0
    except OSError as error:
        raise InputError(f"{path}: can't be read as CSV: {error}") from None
    first, _, rest = text.partition("\n")
    hint = re.fullmatch(r"sep=(.)\s*", first)  # a spreadsheet's note to itself
    if hint:
        text, skipped = rest, 1
    separator = hint[1] if hint else _separator(text, columns)
    reader = csv.reader(
        io.StringIO(text, newline=""), strict=True, skipinitialspace=True, delimiter=separator
    )

    def place() -> str:
        return f"{path}, line {reader.line_num + skipped}"

    try:
        table = Table(path, tuple(name.strip() for name in next(reader, [])))
        _check_header(place(), table.columns, columns)
        for values in reader:
            if any(value.strip() for value in values):
                _check_width(place(), separator, table.columns, values)
                named = dict(zip(table.columns, values, strict=True))
                table.rows.append(Row(table, reader.line_num + skipped, named))
    except csv.Error as error:
        raise InputError(f"{place()}: can't be read as CSV: {error}") from None
    if not table.rows:
        raise InputError(f"{path}: there is no line of values below the header")
    return table


def _separator(text: str, columns: Sequence[str]) -> str:
    """Returns the sign that divides the header into the columns that are needed.

    A header without any such sign has one column; then a comma in a line below belongs to a number.
    """
    header = next(iter(io.StringIO(text, newline="")), "").strip("\r\n")
    found = {}
    for sign in _SEPARATORS:
        if sign in header:
            try:
                names = next(csv.reader([header], skipinitialspace=True, delimiter=sign), [])
            except csv.Error:
                continue
            found[sign] = [name.strip() for name in names]
    if not found:
        return _NOTHING
    return max(found, key=lambda sign: (len(set(columns) & set(found[sign])), len(found[sign])))


def _check_header(place: str, header: Sequence[str], columns: Sequence[str]) -> None:
    for column in columns:
        if column not in header:
            close = difflib.get_close_matches(column, header, n=1)
            meant = f"; is '{close[0]}' meant?" if close else ""
            found = ", ".join(header) or "nothing"
            raise InputError(f"{place}: there is no column '{column}', only {found}{meant}")
    for left, right in pairwise(sorted(name.casefold() for name in header if name)):
        if left == right:
            raise InputError(f"{place}: there are two columns '{left}'; rename or remove one of them")


def _check_width(place: str, separator: str, header: Sequence[str], values: Sequence[str]) -> None:
    if len(values) == len(header):
        return
    line = separator.join(values)
    decimal = separator == "," and len(values) > len(header)
    hint = (
        "; put values with a comma of their own in quotation marks, or ';' between columns" if decimal else ""
    )
    raise InputError(f"{place}: {len(values)} values for {len(header)} columns: {line}{hint}")
