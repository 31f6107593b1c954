"""The environment of a run, which its configuration doesn't contain: versions, commit, machine, executor."""

import platform
import subprocess
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from simdistill.config import RunConfig
from simdistill.executors import cores

try:
    import resource
except ImportError:  # Windows
    resource = None

PACKAGES = (
    "simdistill",
    "torch",
    "transformers",
    "trl",
    "peft",
    "datasets",
    "gymnasium",
    "simpy",
    "numpy",
    "scipy",
)


def environment(config: RunConfig | None = None) -> dict:
    """Returns versions, commit, machine and starting time, and a run's executor.

    Args:
        config: The run's configuration; None if nothing is simulated.
    """
    found = {
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "commit": _commit(),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": cores(),
            "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        },
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    if config is None:
        return found
    return found | {"compute": {"executor": config.compute.name, "workers": config.workers or cores()}}


def peak_memory_mb() -> float:
    """Returns the peak memory of this process plus the largest peak of its workers, in MB.

    On Windows workers aren't included; where no peak is known, it is the memory that is in use now.
    """
    if resource is None:
        held = psutil.Process().memory_info()
        return getattr(held, "peak_wset", held.rss) / 1024**2
    held = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return held / (1024**2 if platform.system() == "Darwin" else 1024)  # bytes on macOS, else kilobytes


def _commit() -> str | None:
    """Returns the commit of the source tree, with a plus sign if files were changed; None without Git."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        git = ["git", "-C", str(root)]
        commit = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+" if changed.strip() else "")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
