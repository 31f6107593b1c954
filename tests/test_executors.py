"""One map, in this process or in others: the same numbers, in the same order."""

import os
import signal
import subprocess
import sys
import time
import types
from functools import partial
from pathlib import Path

import pytest

from simdistill.config import ExecutorConfig
from simdistill.errors import InputError
from simdistill.executors import cores, simulating
from simdistill.simulation import EPISODE, TRAIN
from simdistill.simulation.rollout import replicate
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


def costs(executor: str, workers: int) -> list[float]:
    """Costs of six replications of a queue."""
    policy = Queueing.policies["join_shortest_queue"]
    simulate = partial(replicate, Queueing, {}, policy, warm_up=5.0, horizon=50.0)
    with simulating(workers, ExecutorConfig(name=executor)) as compute:
        return [one.cost for one in compute(simulate, [(0, TRAIN, EPISODE, number) for number in range(6)])]


def test_numbers_depend_neither_on_the_executor_nor_on_the_number_of_workers():
    alone = costs("serial", 1)
    assert len(set(alone)) == 6
    assert alone == costs("processes", 1) == costs("processes", 2) == costs("serial", 3)


def test_an_executor_that_isnt_there_is_explained():
    with (
        pytest.raises(InputError, match=r"no executor 'proceses'.*did you mean 'processes'"),
        simulating(1, ExecutorConfig(name="proceses")),
    ):
        pass


def test_without_affinity_every_core_counts(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores() == os.cpu_count()


def test_where_affinity_is_not_told_every_core_counts(monkeypatch):
    def refused(process: int):
        raise PermissionError

    monkeypatch.setattr(os, "sched_getaffinity", refused, raising=False)
    assert cores() == os.cpu_count()


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
