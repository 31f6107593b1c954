"""Tests on Linux without what Python lacks on macOS and Windows, in place of tests on those systems."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT = """
import multiprocessing, os, sys

for name in {lacking!r}:
    if hasattr(os, name):
        delattr(os, name)
if "resource" in {lacking!r}:
    import psutil  # before things are taken away, as Linux's psutil needs them

    sys.modules["resource"] = None
if "forkserver" in {lacking!r}:
    multiprocessing.set_start_method("spawn", force=True)
    multiprocessing.get_all_start_methods = lambda: ["spawn"]
    for name in ("fork", "forkserver"):
        multiprocessing.context._concrete_contexts.pop(name, None)
"""
"""Put into `sitecustomize`, so that it holds in worker processes as well."""

MACOS = ("sched_getaffinity", "sched_setaffinity")
WINDOWS = (*MACOS, "fork", "mkfifo", "getuid", "geteuid", "killpg", "getpgid", "resource", "forkserver")

SCRIPT = """
import json, math
from simdistill.executors import cores, simulating
from simdistill.runs.environment import environment, peak_memory_mb

if __name__ == "__main__":
    with simulating(2) as compute:
        found = list(compute(math.sqrt, [1.0, 4.0, 9.0]))
    machine = environment()["machine"]
    print(json.dumps([found, cores(), machine["cores"], peak_memory_mb(), sorted(machine)]))
"""


@pytest.fixture(params=[MACOS, WINDOWS], ids=["macOS", "Windows"])
def elsewhere(request, tmp_path) -> dict[str, str]:
    """The environment of a process on another system."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT.format(lacking=request.param))
    return {**os.environ, "PYTHONPATH": str(tmp_path), "HF_HUB_OFFLINE": "1"}


def test_simulating_and_measuring_work_on_other_systems(elsewhere, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")],
        capture_output=True,
        text=True,
        env=elsewhere,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found, cores, told, memory, machine = json.loads(done.stdout.splitlines()[-1])
    assert found == [1.0, 2.0, 3.0]
    assert cores == told == os.cpu_count() and memory > 1
    assert machine == ["cores", "memory_gb", "processor", "system"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["trace", "task=queueing", "task.warm_up=0", "task.horizon=5", "-o", "log.jsonl"],
        ["verify", "newsvendor", "--quick", "--json", "verified.json"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_verbs_work_on_other_systems(elsewhere, tmp_path, arguments):
    done = subprocess.run(
        [sys.executable, "-m", "simdistill", *arguments],
        capture_output=True,
        text=True,
        env=elsewhere,
        cwd=tmp_path,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert arguments[-1].startswith("list") or (Path(tmp_path) / arguments[-1]).is_file()
