"""One map, in this process or in others."""

import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from simdistill.errors import InputError
from simdistill.executors import simulating
from simdistill.simulators.queueing import Queueing

LOADED = "(__import__('simdistill.teachers.search'), list(__import__('sys').modules))[1]"


def test_one_worker_is_this_process():
    with simulating(1) as compute:
        assert list(compute(lambda number: (number, os.getpid()), range(3))) == [
            (n, os.getpid()) for n in range(3)
        ]


def test_workers_keep_the_order_and_load_no_torch(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setitem(sys.modules, "only_here", types.ModuleType("only_here"))
    before = dict(os.environ)
    with simulating(2) as compute:
        assert list(compute(abs, [-3, 2, -1])) == [3, 2, 1]
        (modules,) = compute(eval, [LOADED])
        pids = set(compute(eval, ["__import__('os').getpid()"] * 4))
        with pytest.raises(InputError, match=r"Queueing\.arrival_rate = -1"):
            list(compute(Queueing.parse, [{}, {"arrival_rate": -1.0}]))
    assert os.getpid() not in pids
    assert "simdistill.teachers.search" in modules
    assert not {"torch", "only_here"} & set(modules)  # nothing is inherited, threads of torch least of all
    assert dict(os.environ) == before


KILLED = """
import time
from simdistill.executors import simulating

if __name__ == "__main__":
    with simulating(2) as compute:
        list(compute(time.sleep, [0.5] * 2))  # both have started
        found = compute(eval, ["__import__('time').sleep(0.2) or __import__('os').getpid()"] * 4)
        print(*set(found), flush=True)
        time.sleep(60)
"""


def running(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())  # a zombie's is empty
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc to see other processes")
def test_workers_end_when_their_process_is_killed(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        workers = [int(pid) for pid in process.stdout.readline().split()]
        assert len(workers) == 2 and all(map(running, workers))
        process.send_signal(signal.SIGKILL)
    until = time.monotonic() + 10
    while any(map(running, workers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(running, workers))
