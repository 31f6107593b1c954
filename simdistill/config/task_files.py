"""Where tasks are, and what their files say.

A task is a YAML file that begins with `defaults: [run, _self_]`. Tasks come from the folder `tasks/` and the
current folder of the user, then from simdistill itself.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from omegaconf.errors import OmegaConfBaseException

from simdistill import registry
from simdistill.config.section import at_home
from simdistill.errors import InputError


def tasks() -> dict[str, Path]:
    """All tasks by name; the user's own go before simdistill's."""
    found = {}
    for folder in reversed(folders()):
        for path in sorted(folder.glob("*.yaml")):
            if _is_task(path):
                found[path.stem] = path
    return dict(sorted(found.items()))


def describe_task(path: Path) -> str:
    """A task's one line."""
    return str((read_yaml(path).get("task") or {}).get("description", ""))


def folders() -> list[Path]:
    """The folders in which tasks are looked for; the first that has a task wins."""
    return [Path.cwd() / "tasks", Path.cwd(), Path(str(files("simdistill.tasks")))]


def task_file(task: str) -> Path:
    """Returns the file of a task that is given by its name or path.

    Raises:
        InputError: When there is none; with the tasks that there are and the one that was probably meant.
    """
    if task.endswith((".yaml", ".yml")):
        try:
            path = at_home(Path(task)).resolve()
        except ValueError as error:
            raise InputError(f"task={task}: {error}") from None
        if not is_file(path):
            raise InputError(f"task={task}: there is no file {path}")
        return path
    for folder in folders():
        if is_file(path := folder / f"{task}.yaml"):
            return path
    raise InputError(registry.unknown("task", task, tasks()))


def is_file(path: Path) -> bool:
    """Whether there is a file of this name; there is none of a name too long for the file system."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a mapping of fields.

    Raises:
        InputError: When the file is missing or doesn't hold one.
    """
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: can't be read as YAML: {reason(error)}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: must be a mapping of fields, as in task: …")
    return value


def reason(error: Exception) -> str:
    """Returns an error's message on one line, without pointers to a library's manual."""
    if isinstance(error, OmegaConfBaseException):
        problem = str(error).splitlines()[0]
        return f"{error.full_key}: {problem}; for the characters ${{ themselves write \\${{"
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip() and "://" not in line)


def _is_task(path: Path) -> bool:
    """Whether a YAML file is a task: other tools leave theirs in the current folder, too."""
    try:
        return {"task", "defaults"} <= read_yaml(path).keys()
    except InputError:
        return False
