"""Inputs from files: what they mean, and what is said about a file that is wrong."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import simpy

from simdistill.checker.check import inspect_simulator
from simdistill.errors import InputError, ProcessError
from simdistill.inputs import Empirical, Shifts, allowed, empirical, hourly_rates, shifts
from simdistill.simulation import ProcessModel, Streams
from simdistill.simulation.distributions import beyond


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
        ([""], "there is nothing in the file"),
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


WORKING = [6, 6, 6, 6, 6, 0, 0]


@pytest.mark.parametrize(
    ("day", "noons"),
    [
        ("Mon-Fri", WORKING),
        ("mon - fri", WORKING),
        ("MON–FRI", WORKING),
        ("Mon‑Fri", WORKING),
        ("Mon − Fri", WORKING),
        ("Monday to Friday", WORKING),
        ("weekdays", WORKING),
        ("Weekday", WORKING),
        ("Sat-Sun", [0, 0, 0, 0, 0, 6, 6]),
        ("weekend", [0, 0, 0, 0, 0, 6, 6]),
        ("Fri-Mon", [6, 0, 0, 0, 6, 6, 6]),
        ("Sun-Tue", [6, 6, 0, 0, 0, 0, 6]),
        ('"Mon,Wed"', [6, 0, 6, 0, 0, 0, 0]),
        ('"Mon, Wed-Thu"', [6, 0, 6, 6, 0, 0, 0]),
        ("Mon/Wed", [6, 0, 6, 0, 0, 0, 0]),
        ("Tues and Thurs.", [0, 6, 0, 6, 0, 0, 0]),
        ("weekend+Wed", [0, 0, 6, 0, 0, 6, 6]),
        ("daily", [6] * 7),
        ("WEDNESDAY", [0, 0, 6, 0, 0, 0, 0]),
    ],
)
def test_days_may_be_ranges_and_lists(file, day, noons):
    week = shifts(file("day,start,end,staff", f"{day},08:00,16:00,6"))
    assert [week.at((24 * number + 12) * 60) for number in range(7)] == noons
    assert week.at(7 * 60) == 0 and week.at(16 * 60) == 0


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        ("Months", "is none of mon, tue"),
        ("Monkey-Friday", "is none of mon, tue"),
        ("Mon-", "is none of mon, tue"),
        ("Mon-Wed-Fri", "is none of mon, tue"),
        ("Mon-weekend", "is none of mon, tue"),
        ("", "is none of mon, tue"),
        ("1-5", "is none of mon, tue"),
        ("Sund", "is none of mon, tue"),
        ("Mon-Mon", "may be one day or a week"),
        ("Mon-Fri/Wed", "names wed twice"),
    ],
)
def test_other_days_are_refused_with_their_line(file, day, reason):
    with pytest.raises(InputError) as caught:
        shifts(file("day,start,end,staff", "sun,08:00,16:00,1", f"{day},08:00,16:00,3"))
    assert f"data.csv, line 3, column 'day': {day!r} {reason}" in str(caught.value)


@pytest.mark.parametrize("column", ["Day", "days", "weekday", "date", "day_of_week", "Week"])
def test_days_in_a_column_of_another_name_are_not_left_out(file, column):
    with pytest.raises(InputError, match=f"line 1: column '{column}' would not be read"):
        shifts(file(f"{column},start,end,staff", "Mon,08:00,16:00,3"))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("Tag", "Mo"),
        ("wd", "Mon-Fri"),
        ("when", "weekend"),
        ("jours", "lun, mar"),
        ("mon", "1"),
        ("on", "Tu/Th"),
    ],
)
def test_columns_whose_values_are_days_are_not_left_out(file, column, value):
    with pytest.raises(InputError, match=f"line 1: column '{column}' would not be read"):
        shifts(file(f"start;end;staff;{column}", f"08:00;16:00;3;{value}"))
    with pytest.raises(InputError, match=f"line 1: column '{column}' would not be read; hours count on"):
        hourly_rates(file(f"hour;rate;{column}", f"0;4;{value}"))


def test_other_columns_are_left_out(file):
    path = file("note,start,end,staff", "so,08:00,16:00,3", "early turn,06:00,08:00,1")
    assert shifts(path).at(600) == 3


def test_values_beyond_the_columns_are_not_left_out(file):
    with pytest.raises(InputError, match=r"line 3: '5' stands in a column without a name: 12,5; give it"):
        empirical(file("minutes,", "12,", "12,5"), "minutes")
    assert empirical(file(",minutes", "0,12", "1,13"), "minutes").values == (
        12.0,
        13.0,
    )  # rows that are counted


def test_days_without_commas_between_them(file):
    with pytest.raises(InputError, match=r"line 2: 5 values for 4 columns: .* in quotation marks"):
        shifts(file("day,start,end,staff", "Mon,Wed,08:00,16:00,3"))


@pytest.mark.parametrize("header", ["hour,rate,rate", "hour,rate, rate", "hour;rate;Rate", "hour,rate,x,x"])
def test_a_column_that_is_there_twice_is_refused(file, header):
    sign = ";" if ";" in header else ","
    line = sign.join("0" * (header.count(sign) + 1))
    with pytest.raises(InputError, match=r"data\.csv, line 1: there are two columns '(rate|x)'"):
        hourly_rates(file(header, line))


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("16:00", "24:00", range(16, 24)),
        ("16:00", "00:00", range(16, 24)),
        ("24:00", "08:00", range(0, 8)),
        ("22:00", "06:00", [22, 23, 0, 1, 2, 3, 4, 5]),
        ("00:00", "24:00", range(24)),
        ("00:00", "08:00", range(0, 8)),
        ("8:00", "16:00:00", range(8, 16)),
        ("08:00:00", "4 PM", range(8, 16)),
        ("12:00 am", "8:00am", range(0, 8)),
        ("12 pm", "1:00 p", None),
    ],
)
def test_times_around_midnight(file, start, end, hours):
    path = file("start,end,staff", f"{start},{end},2")
    if hours is None:
        with pytest.raises(InputError, match="is no time of day"):
            shifts(path)
        return
    day = shifts(path)
    assert [hour for hour in range(24) if day.at(hour * 60)] == sorted(hours)
    assert set(day.counts) <= {0, 2} and [day.at(h * 60) for h in range(24)] == [
        day.at((24 + h) * 60) for h in range(24)
    ]


def test_a_week_ends_and_begins_at_midnight(file):
    week = shifts(file("day,start,end,staff", "sun,20:00,24:00,3", "fri-sun,22:00,02:00,1"), minute=1 / 60)
    assert [week.at(h) for h in (0, 1.9, 2, 118, 121, 122, 140, 164, 166, 167.9)] == [
        1, 1, 0, 1, 1, 0, 0, 3, 4, 4,
    ]  # fmt: skip


@pytest.mark.parametrize(("start", "end"), [("08:00", "8:00:00"), ("24:00", "00:00"), ("24:00", "24:00")])
def test_a_shift_without_length_is_refused(file, start, end):
    with pytest.raises(InputError, match=r"line 2, column 'end': .* is when the shift starts"):
        shifts(file("start,end,staff", f"{start},{end},2"))


def test_shifts_that_overlap_add_up(file):
    week = shifts(
        file("day,start,end,staff", "mon-fri,08:00,16:00,3", "wed,12:00,20:00,2", "wed,08:00,16:00,1")
    )
    assert [week.at((48 + h) * 60) for h in (8, 12, 16, 20)] == [4, 6, 2, 0]
    assert [week.at((24 + h) * 60) for h in (8, 12, 16, 20)] == [3, 3, 0, 0]


EXPORTS = {
    "commas": "hour,rate\n0,4.5\n1,12\n",
    "semicolons and decimal commas": "hour;rate\n0;4,5\n1;12,0\n",
    "tabs": "hour\trate\n00\t4,5\n01\t12\n",
    "bars": "hour|rate\n0|4.5\n1|12\n",
    "quotation marks": '"hour", "rate"\r\n"00", "4,5"\r\n"01", "12"\r\n',
    "hours as times": "hour,rate\n00:00,4.5\n01:00:00,12.00\n",
    "hours with decimals": "hour;rate\n0,0;4,5\n1,0;12\n",
    "a spreadsheet's note": "sep=;\nhour;rate\n0;4,5\n1;12\n",
    "columns without a name": "hour;rate;;\n0;4,5;;\n1;12;;\n;;;\n",
    "separators at ends of lines": "hour,rate\n0,4.5,\n1,12,,\n",
    "a separator at the end of the header": "hour,rate,\n0,4.5\n1,12\n",
    "empty lines above": "\n;;\n\nhour;rate\n0;4,5\n1;12\n",
    "a note in quotation marks": '"SEP=;"\r\n\r\nhour;rate\r\n0;4,5\r\n1;12\r\n',
    "old ends of lines": "hour,rate\r0,4.5\r1,12\r",
    "other columns": "ward;rate;hour\nA,B;4,5;0\nC;12;1\n",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("form", EXPORTS)
def test_what_spreadsheets_write_is_read(tmp_path, form, encoding):
    path = tmp_path / "data.csv"
    path.write_bytes(EXPORTS[form].encode(encoding))
    assert hourly_rates(path, hour=1.0).rates == (4.5, 12.0)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4,5", 4.5),
        ("0,125", 0.125),
        (",5", 0.5),
        ("1234,5", 1234.5),
        ("1234,567", 1234.567),
        ("1,5e2", 150.0),
        ("1.234,5", 1234.5),
        ("1,234.5", 1234.5),
        ("1,234,567", 1234567.0),
        ("1 234,5", 1234.5),
        ("1\u202f234", 1234.0),
        ("1'234.50", 1234.5),
        ("4.", 4.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("+4", 4.0),
        ("007", 7.0),
    ],
)
@pytest.mark.parametrize("sign", [";", "\t", None, '"'])
def test_numbers_that_have_one_reading(file, text, value, sign):
    if sign == '"':
        path = file("who,minutes", f'me,"{text}"')
    else:
        path = file("minutes", text) if sign is None else file(f"minutes{sign}who", f"{text}{sign}me")
    assert empirical(path, "minutes").values == (value,)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["1,234"], "line 2, column 'minutes': '1,234' may be 1234 or 1.234: write it as one of these"),
        (["2,5", "1,234"], "line 3, column 'minutes': '1,234' may be 1234 or 1.234"),
        (["2,5", "1.234"], "has '.' where line 2, column 'minutes': '2,5' has ','"),
        (["1.234", "2,5"], "line 3, column 'minutes': '2,5' has ',' where line 2"),
        (["4,5,6"], "'4,5,6' is no number"),
        (["1,23,456"], "is no number"),
        (["1_000"], "is no number"),
        (["4 min"], "is no number"),
        (["12:30"], "is no number"),
        (["-4,5"], "'-4,5' must be a number of at least 0"),
        (["inf"], "must be a number of at least 0"),
        ([""], "is no number"),
    ],
)
def test_numbers_that_may_be_two_are_refused(file, values, told):
    with pytest.raises(InputError, match=r"data\.csv, line") as caught:
        empirical(file("minutes;who", *[f"{value};me" for value in values]), "minutes")
    assert told in str(caught.value)


def test_lines_are_counted_from_the_top_of_the_file(file):
    with pytest.raises(InputError, match=r"line 6, column 'hour': '5' should be 1"):
        hourly_rates(file("", "sep=;", "", "hour;rate", "0;4", "5;4"))


def test_decimal_commas_between_commas_are_explained(file):
    with pytest.raises(InputError, match=r"line 2: 3 values for 2 columns: 0,4,5; put values with a comma"):
        hourly_rates(file("hour,rate", "0,4,5"))


@pytest.mark.parametrize("staff", ["3", "3.0", '"3,0"', " 3 ", "03"])
def test_staff_may_have_decimals_that_are_0(file, staff):
    assert shifts(file("start,end,staff", f"08:00,16:00,{staff}")).at(600) == 3


@pytest.mark.parametrize("staff", ["1.5", '"1,5"', "-1", "three", '"1,000"', "²"])
def test_other_staff_is_refused(file, staff):
    with pytest.raises(InputError, match="line 2, column 'staff'"):
        shifts(file("start,end,staff", f"08:00,16:00,{staff}"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("hour,rate\nnüll,1\n".encode("latin-1"), "byte 0xfc in line 2 is not UTF-8; save it as UTF-8"),
        (b"PK\x03\x04\x14\x00", "is a workbook or an archive; save the table in it"),
        (b"hour,rate\n0,\x001\n", "is no text file"),
        ("hour,rate\n0,1\n".encode("utf-16")[:-1], "is not UTF-16"),
        (b'hour,rate\n0,1\n1,"2\n', "data.csv, line 3: can't be read as CSV"),
    ],
)
def test_what_is_no_text_is_explained(tmp_path, content, told):
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        hourly_rates(path)
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
        self.charge("stay", 1.0)
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
