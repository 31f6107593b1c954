"""Processes that train together: how they end."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import atexit
from pathlib import Path
from torch import distributed, nn

def threads():
    names = [task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")]
    return [name for name in names if "gloo" in name]

def last():
    Path({folder!r}, f"{{rank}}.txt").write_text(f"{{distributed.is_initialized()}} {{threads()}}")

atexit.register(last)  # what is registered first is called last
from simdistill import distributed as launched

launched.meet("cpu")
assert distributed.is_initialized() and threads()
rank = distributed.get_rank()
model = nn.parallel.DistributedDataParallel(nn.Linear(1, 1))
model.itself = [model]  # as a trainer's is part of cycles
del model
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are read from Linux's /proc")
def test_processes_leave_their_group_and_its_threads_before_they_end(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=str(tmp_path)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", script]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [(tmp_path / f"{rank}.txt").read_text() for rank in (0, 1)] == ["False []", "False []"]
