"""Processes that train together: how they end."""

import subprocess
import sys

import pytest

SCRIPT = """
import atexit
from pathlib import Path
from torch import distributed, nn

def last():
    tasks = Path("/proc/self/task").glob("*/comm")
    threads = [task.read_text().strip() for task in tasks]
    left = [name for name in threads if "gloo" in name]
    Path({folder!r}, f"{{rank}}.txt").write_text(f"{{distributed.is_initialized()}} {{left}}")

atexit.register(last)  # what is registered first is called last
from simdistill import launched

launched.meet("cpu")
assert distributed.is_initialized()
rank = distributed.get_rank()
model = nn.parallel.DistributedDataParallel(nn.Linear(1, 1))
model.itself = [model]  # as a trainer's is part of cycles
del model
"""


@pytest.mark.slow
def test_processes_leave_their_group_and_its_threads_before_they_end(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=str(tmp_path)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", script]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [(tmp_path / f"{rank}.txt").read_text() for rank in (0, 1)] == ["False []", "False []"]
