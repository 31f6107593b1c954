"""One map, in this process or in others."""

import os
import sys
import types

import pytest

from simdistill.compute import simulating
from simdistill.errors import InputError
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
