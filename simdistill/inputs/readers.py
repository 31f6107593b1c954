"""Real inputs: measured durations, hourly rates and shift calendars from CSV files, and hard rules.

Files have a header line; `simdistill.inputs.csv_table` says in which formats they may be. Errors name the
file, the line, the column and the value.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import simpy

from simdistill.errors import InputError
from simdistill.inputs.csv_table import DAY, read
from simdistill.simulation.distributions import PiecewiseExponential

Labels = TypeVar("Labels", list[str], Mapping[str, Any])


@dataclass(frozen=True, slots=True)
class Empirical:
    """One of the measured values, each equally often (Law, Simulation Modeling and Analysis, 6.2.4).

    Attributes:
        values: What was measured, in ascending order.
    """

    values: tuple[float, ...]

    def quantile(self, u: float) -> float:
        return self.values[min(int(u * len(self.values)), len(self.values) - 1)]

    def cdf(self, x: float) -> float:
        return bisect_right(self.values, x) / len(self.values)

    @property
    def mean(self) -> float:
        return sum(self.values) / len(self.values)


@dataclass(frozen=True)
class Rates:
    """Arrivals at a rate that changes by the clock, over and over.

    Attributes:
        rates: Arrivals per unit of time, in each of consecutive periods from time 0 on.
        width: Length of a period.
    """

    rates: tuple[float, ...]
    width: float

    def at(self, time: float) -> float:
        """Returns the rate at a time."""
        return self.rates[int(time // self.width) % len(self.rates)]

    def gap(self, now: float) -> PiecewiseExponential:
        """Returns the distribution of the time from now to the next arrival.

        `yield self.duration("arrival", number, rates.gap(self.env.now))`; unlike thinning, each arrival takes
        one random number.
        """
        return PiecewiseExponential(self.rates, self.width, now)


@dataclass(frozen=True)
class Shifts:
    """The number of people on duty, day by day or week by week.

    Attributes:
        starts: When the number changes, within the cycle; the first is 0.
        counts: The number from then on.
        cycle: Length of a day or a week, in units of time.
    """

    starts: tuple[float, ...]
    counts: tuple[int, ...]
    cycle: float

    def at(self, time: float) -> int:
        """Returns the number on duty at a time."""
        return self.counts[bisect_right(self.starts, time % self.cycle) - 1]

    def next_change(self, time: float) -> float:
        """Returns when the number changes next after a time; infinity if it never does."""
        if len(self.starts) == 1:
            return math.inf
        begun = time - time % self.cycle
        later = bisect_right(self.starts, time - begun)
        if later < len(self.starts):
            return begun + self.starts[later]
        first = 0 if self.counts[0] != self.counts[-1] else 1  # often nothing changes at midnight
        return begun + self.cycle + self.starts[first]

    def follow(
        self, env: simpy.Environment, change: Callable[[int], None]
    ) -> Generator[simpy.Event, Any, None]:
        """A process that calls `change` with the number on duty, at once and whenever it changes."""
        while True:
            change(self.at(env.now))
            following = self.next_change(env.now)
            if following == math.inf:
                return
            yield env.timeout(following - env.now)


def empirical(path: Path | str, column: str) -> Empirical:
    """Reads measured values, such as durations, from a column.

    Raises:
        InputError: If a value is no number of at least 0, or there is none.
    """
    values = [row.number(column) for row in read(path, [column]).rows]
    return Empirical(tuple(sorted(values)))


def hourly_rates(path: Path | str, hour: float = 60.0) -> Rates:
    """Reads arrivals per hour: columns `hour` (0, 1, 2, … in order) and `rate`, for a day, a week or more.

    Args:
        path: The file.
        hour: Length of an hour in the model's units of time.

    Raises:
        InputError: If an hour is missing, doubled or out of order, or no rate is positive.
    """
    rates, table = [], read(path, ["hour", "rate"])
    if days := table.columns_of_days():
        raise InputError(
            f"{path}, line 1: column '{days[0]}' would not be read; hours count on from day to day, to 167 "
            "for a week that begins with the model's time 0"
        )
    for expected, row in enumerate(table.rows):
        if row.hour("hour") != expected:
            raise row.error("hour", f"should be {expected}: hours count from 0 without gaps")
        rates.append(row.number("rate") / hour)
    if not any(rates):
        raise InputError(f"{path}: every rate is 0, so nobody would ever arrive")
    return Rates(tuple(rates), hour)


def shifts(path: Path | str, minute: float = 1.0) -> Shifts:
    """Reads a shift calendar: columns `start` and `end` (08:00, 16:30) and `staff`.

    Shifts at one time add up; one that ends before it starts goes on past midnight. With a column `day` the
    calendar is a week's and begins on Monday, otherwise a day's. A day may be a single one (mon, Monday), a
    range (Mon-Fri, Fri-Mon), a list (Mon/Wed), or one of weekdays, weekend and daily.

    Args:
        path: The file.
        minute: Length of a minute in the model's units of time.

    Raises:
        InputError: If a time, a day or a number can't be read, or a shift has no length.
    """
    table = read(path, ["start", "end", "staff"])
    weekly = "day" in table.columns
    for column in table.columns_of_days():
        if column != "day":
            raise InputError(
                f"{path}, line 1: column '{column}' would not be read; days stand in a column 'day', as "
                "mon or Mon-Fri, and without one every row is of every day"
            )
    cycle = DAY * (7 if weekly else 1)
    duties = []
    for row in table.rows:
        start, end, staff = row.clock("start"), row.clock("end"), row.whole("staff")
        if (end - start) % DAY == 0 and (start, end) != (0, DAY):
            raise row.error("end", "is when the shift starts; for a whole day write 00:00 to 24:00")
        length = (end - start) % DAY or DAY
        for day in row.days("day") if weekly else [0]:
            duties.append(((day * DAY + start) % cycle, length, staff))
    return _calendar(duties, cycle, minute)


def _calendar(duties: Iterable[tuple[int, int, int]], cycle: int, minute: float) -> Shifts:
    """Returns the calendar of some shifts, in which the staff of shifts at one time is added up.

    Args:
        duties: Start within the cycle in seconds, length in seconds, and staff of each shift.
        cycle: Length of a cycle, in seconds.
        minute: Length of a minute in the model's units of time.
    """
    changes = {0: 0}
    for start, length, staff in duties:
        end = start + length
        changes[start] = changes.get(start, 0) + staff
        if end >= cycle:  # the shift goes on at the beginning of the cycle
            changes[0] += staff
            end -= cycle
        changes[end] = changes.get(end, 0) - staff
    starts, counts, on_duty = [], [], 0
    for start in sorted(changes):
        on_duty += changes[start]
        if not counts or counts[-1] != on_duty:
            starts.append(start / 60 * minute)
            counts.append(on_duty)
    return Shifts(tuple(starts), tuple(counts), cycle / 60 * minute)


def allowed(choices: Labels, rules: Mapping[str, Callable[[Any], bool]]) -> Labels:
    """Returns the choices that obey every hard rule.

    With `lambda: allowed(rooms, rules)` as a decision's choices, a choice that a rule forbids can't be taken,
    neither in training nor by the student.

    Args:
        choices: Labels, or a mapping from labels to objects.
        rules: The rule in words -> whether a label, or its object, obeys it.

    Raises:
        InputError: If nothing is left, with the rules that forbid each choice.
    """
    objects = choices if isinstance(choices, Mapping) else {label: label for label in choices}
    broken = {
        label: [rule for rule, obeys in rules.items() if not obeys(of)] for label, of in objects.items()
    }
    if all(broken.values()):
        reasons = "; ".join(
            f"{label} breaks {' and '.join(map(repr, found))}" for label, found in broken.items()
        )
        raise InputError(f"no choice obeys the rules: {reasons or 'there is none'}")
    left = {label: of for label, of in objects.items() if not broken[label]}
    return left if isinstance(choices, Mapping) else list(left)  # type: ignore[return-value]
