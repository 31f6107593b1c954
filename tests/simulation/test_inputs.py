"""Inputs from files: what they mean, and what is said about a file that is wrong."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import simpy

from simdistill.checker.check import inspect_simulator
from simdistill.errors import InputError, ProcessError
from simdistill.simulation import ProcessModel, Streams
from simdistill.simulation.distributions import beyond
from simdistill.simulation.inputs import Empirical, Shifts, allowed, empirical, hourly_rates, shifts


@pytest.fixture
def file(tmp_path):
    """Writes a file of given lines."""

    def write(*lines: str):
        path = tmp_path / "data.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


def test_measured_values_come_equally_often(file):
    found = empirical(file("who,minutes", "a, 4", "", "b,1.5", "c,4", "d,10"), "minutes")
    assert found == Empirical((1.5, 4.0, 4.0, 10.0))
    assert [found.quantile(u) for u in (0.0, 0.24, 0.25, 0.74, 0.75, 1.0)] == [1.5, 1.5, 4, 4, 10, 10]
    assert [found.cdf(x) for x in (1.4, 1.5, 4, 9, 10)] == [0, 0.25, 0.75, 0.75, 1]
    assert found.mean == 4.875
    # What has lasted 4 minutes will last 10; what has outlived everything measured ends now.
    assert beyond(found, 4.0, 0.3) == 10.0
    assert beyond(found, 12.0, 0.3) == 12.0


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["minutes", "4", "four"], "line 3, column 'minutes': 'four' is no number"),
        (["minutes", "-1"], "line 2, column 'minutes': '-1' must be a number of at least 0"),
        (["minutes", "nan"], "line 2, column 'minutes': 'nan' must be a number of at least 0"),
        (["Minutes", "4"], "line 1: there is no column 'minutes', only Minutes; is 'Minutes' meant?"),
        (["minutes,who", "4"], "line 2: 1 values for 2 columns: 4"),
        (["minutes"], "there is no line of values"),
        ([""], "there is no column 'minutes', only nothing"),
    ],
)
def test_measured_values_that_are_wrong(file, lines, told):
    path = file(*lines)
    with pytest.raises(InputError) as caught:
        empirical(path, "minutes")
    assert str(caught.value).startswith(str(path)) and told in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: can't be read as CSV"):
        empirical(tmp_path / "none.csv", "minutes")


def test_hourly_rates_are_followed(file):
    day = hourly_rates(file("hour,rate", *[f"{h},{12 if h == 9 else 0 if h < 6 else 6}" for h in range(24)]))
    assert day.at(9 * 60 + 59) == 0.2 and day.at(25 * 60) == 0 and day.at(33 * 60) == 0.2
    # A year of days: the hours get what the file says.
    streams, now, counts = Streams((5,)), 0.0, np.zeros(24)
    for arrival in itertools.count():
        now += day.gap(now).quantile(streams.uniform("arrival", arrival))
        if now > 365 * 24 * 60:
            break
        counts[int(now // 60) % 24] += 1
    assert (counts[:6] == 0).all()
    assert counts[9] / 365 == pytest.approx(12, rel=0.06)
    assert counts[12:].mean() / 365 == pytest.approx(6, rel=0.03)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["hour,rate", "0,4", "2,4"], "line 3, column 'hour': '2' should be 1"),
        (["hour,rate", "0,4", "0,4"], "line 3, column 'hour': '0' should be 1"),
        (["hour,rate", "0,-4"], "line 2, column 'rate': '-4' must be"),
        (["hour,rate", "0,0", "1,0"], "every rate is 0"),
        (["hour,rates", "0,0"], "is 'rates' meant?"),
    ],
)
def test_rates_that_are_wrong(file, lines, told):
    with pytest.raises(InputError, match=r"data\.csv") as caught:
        hourly_rates(file(*lines))
    assert told in str(caught.value)


def test_shifts_of_a_day_add_up(file):
    day = shifts(file("start,end,staff", "08:00,16:00,2", "12:00,20:00,1", "22:00,06:00,1"))
    hours = [0, 5.99, 6, 8, 12, 16, 20, 22, 24 + 8]
    assert [day.at(60 * h) for h in hours] == [1, 1, 0, 2, 3, 1, 0, 1, 2]
    assert [day.next_change(60 * h) / 60 for h in (0, 6, 21, 22)] == [6, 8, 22, 30]


def test_shifts_of_a_week(file):
    week = shifts(file("day,start,end,staff", "Mon,08:00,16:00,2", "sunday,20:00,04:00,3"), minute=1 / 60)
    assert week.cycle == 168
    assert [week.at(h) for h in (0, 3.9, 4, 8, 32, 144 + 20, 168)] == [3, 3, 0, 2, 0, 3, 3]


def test_a_shift_round_the_clock_never_changes(file):
    always = shifts(file("start,end,staff", "00:00,24:00,2"))
    assert always == Shifts((0.0,), (2,), 1440.0)
    assert always.next_change(10.0) == math.inf
    assert shifts(file("start,end,staff", "07:00,19:00,1", "19:00,07:00,1")).at(0) == 1


def test_a_process_follows_the_shifts(file):
    env, seen = simpy.Environment(), []
    day = shifts(file("start,end,staff", "08:00,16:00,2"))
    env.process(day.follow(env, lambda staff: seen.append((env.now / 60, staff))))
    env.run(until=36 * 60)
    assert seen == [(0, 0), (8, 2), (16, 0), (32, 2)]
    env, seen = simpy.Environment(), []
    env.process(Shifts((0.0,), (2,), 1440.0).follow(env, seen.append))
    env.run()
    assert seen == [2]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["start,end,staff", "8,16:00,1"], "line 2, column 'start': '8' is no time of day such as 08:30"),
        (["start,end,staff", "08:00,25:00,1"], "'25:00' is no time of day between 00:00 and 24:00"),
        (["start,end,staff", "08:00,08:00,1"], "for a whole day write 00:00 to 24:00"),
        (["start,end,staff", "08:00,16:00,1.5"], "column 'staff': '1.5' must be a whole number"),
        (["day,start,end,staff", "someday,08:00,16:00,1"], "column 'day': 'someday' is none of mon"),
    ],
)
def test_shifts_that_are_wrong(file, lines, told):
    with pytest.raises(InputError, match=r"data\.csv") as caught:
        shifts(file(*lines))
    assert told in str(caught.value)


RULES = {"no child in the trauma room": lambda room: room != "trauma", "closed": lambda room: room != "C"}


def test_rules_leave_what_is_allowed():
    assert allowed(["A", "trauma", "B", "C"], RULES) == ["A", "B"]
    assert allowed({"x": "trauma", "y": "A"}, RULES) == {"y": "A"}
    with pytest.raises(InputError) as caught:
        allowed(["trauma", "C"], RULES)
    assert str(caught.value) == (
        "no choice obeys the rules: trauma breaks 'no child in the trauma room'; C breaks 'closed'"
    )


class Ward(ProcessModel):
    """Patients arrive by the hour, stay as long as was measured, in a room that the rules allow."""

    path: Path
    closed = False
    stays = Empirical((5.0, 6.0, 9.0, 20.0))

    def build(self):
        self.rates = hourly_rates(self.path)
        self.full = {"A": 0, "B": 0, "C": 0}
        self.env.process(self.patients())

    def patients(self):
        rules = {"full": lambda room: self.full[room] == 0 and not self.closed}
        for patient in itertools.count():
            yield self.duration("patient", patient, self.rates.gap(self.env.now))
            if 0 in self.full.values():
                room = yield self.decide("Which room?", lambda: allowed(list(self.full), rules))
                self.full[room] = 1
                self.env.process(self.stay(patient, room))

    def stay(self, patient, room):
        yield self.duration("stay", patient, self.stays)
        self.full[room] = 0

    max_choices = 3

    def observe(self, decision):
        return dict(self.full)


def test_a_model_of_inputs_conforms(file):
    class Real(Ward):
        path = file("hour,rate", "0,10", "1,0", "2,20")

    (problem,) = inspect_simulator(Real).problems
    assert problem.check == "workers"  # it is defined in a function


def test_a_decision_without_an_allowed_choice_tells_the_rules(file):
    class Closed(Ward):
        path = file("hour,rate", "0,10")
        closed = True

    with pytest.raises(ProcessError, match="no choice obeys the rules: A breaks 'full'"):
        Closed().advance()
