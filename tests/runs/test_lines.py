"""Progress where there is no terminal: when a line comes, and what it says."""

import io
import time

import pytest
from rich.console import Console

from simdistill.runs import lines
from simdistill.runs.console import progress_on
from simdistill.runs.lines import Lines


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def shown(clock, said) -> Lines:
    return Lines(said.append, clock)


def wait(shown: Lines, clock: Clock, seconds: int) -> None:
    """Lets time pass, second by second, without a report."""
    for _ in range(seconds):
        clock.now += 1
        shown.tick()


def test_a_phase_says_when_it_begins_how_far_it_is_and_when_it_ends(shown, clock, said):
    shown("search", 0, 200)
    wait(shown, clock, 20)
    shown("search", 50, 200)
    wait(shown, clock, 20)
    shown("search", 100, 200)
    wait(shown, clock, 20)
    shown("search", 200, 200)
    assert said == [
        "search: begins, 200 to do",
        "search: 50 of 200 after 30 s, about 1 min 30 s left",
        "search: 100 of 200 after 1 min, about 1 min left",
        "search: done, 200 in 1 min",
    ]


def test_many_reports_make_no_more_lines(shown, clock, said):
    for done in range(1, 1001):
        clock.now += 0.1
        shown("search", done, 1000)
        shown.tick()
    assert len(said) == 1 + 3 + 1


def test_a_phase_that_reports_nothing_is_told_of_every_30_seconds(shown, clock, said):
    shown("ask the student", 0, 17)
    wait(shown, clock, 95)
    assert said[1:] == [
        f"ask the student: 0 of 17 after {after}, time left isn't known yet"
        for after in ("30 s", "1 min", "1 min 30 s")
    ]


def test_the_time_before_the_first_phase_and_between_phases_is_told(shown, clock, said):
    wait(shown, clock, 31)
    shown("search", 0, 1)
    shown("search", 1, 1)
    wait(shown, clock, 45)
    assert said[0] == "getting ready for 30 s"
    assert said[-1] == "search: done; what comes after it has taken 30 s so far"


def test_time_left_is_that_of_the_parts_made_since_a_run_went_on(shown, clock, said):
    shown("train", 50, 100)
    clock.now += 5
    shown("train", 60, 100)
    wait(shown, clock, 30)
    assert said == [
        "train: begins, 50 to do",
        "train: 60 of 100 after 30 s, about 2 min left",
    ]


def test_a_phase_whose_first_part_is_reported_at_its_end_began_after_the_one_before(shown, clock, said):
    shown("search", 0, 1)
    shown("search", 1, 1)
    clock.now += 8
    shown("answer", 1, 1)
    assert said[-1] == "answer: done, 1 in 8.0 s"


def test_a_phase_that_comes_again_begins_again(shown, said):
    for _ in range(2):
        for done in range(3):
            shown("score forecasts", done, 2)
    assert [line.split(",")[0] for line in said] == ["score forecasts: begins", "score forecasts: done"] * 2


def test_the_clock_is_watched_while_nothing_reports(monkeypatch, said):
    monkeypatch.setattr(lines, "EVERY", 0.02)
    with Lines(said.append).shown() as shown:
        shown("search", 0, 2)
        end = time.monotonic() + 20
        while not said[-1].startswith("search: 0 of 2 after") and time.monotonic() < end:
            time.sleep(0.01)
    assert said[-1].startswith("search: 0 of 2 after")
    told = len(said)
    time.sleep(0.06)
    assert len(said) == told


def test_a_pipe_gets_lines_and_a_terminal_gets_bars():
    for terminal in (False, True):
        written = io.StringIO()
        console = Console(file=written, force_terminal=terminal, width=40)
        with progress_on(console) as progress:
            progress("search, generation 1 of 3 of a long name", 0, 2)
            progress("search, generation 1 of 3 of a long name", 2, 2)
        text = written.getvalue()
        assert ("long name: begins, 2 to do\n" in text) != terminal
        assert ("\x1b[" in text) == terminal
