"""The clock of distilling."""

import time

from simdistill.files import read_lines
from simdistill.training.clock import Clock


def seconds(path):
    return {row["step"]: row["seconds"] for row in read_lines(path)}


def test_paused_seconds_are_not_counted(tmp_path):
    clock = Clock(tmp_path / "clock.jsonl")
    with clock.paused():
        time.sleep(0.2)
    clock.note(1)
    time.sleep(0.1)
    clock.note(2)
    found = seconds(clock.path)
    assert found[1] < 0.1 <= found[2] < 0.2


def test_a_stopped_run_goes_on_from_the_step_that_is_kept(tmp_path):
    path = tmp_path / "clock.jsonl"
    path.write_text('{"step": 1, "seconds": 10.0}\n{"step": 2, "seconds": 25.0}\n{"step": 3, "sec')
    clock = Clock(path)
    clock.back_to(1)
    clock.note(2)
    clock.back_to(2)
    clock.note(3)
    found = seconds(path)
    assert found[1] == 10 and 10 < found[2] < found[3] < 11
