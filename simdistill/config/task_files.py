"""Finding and reading the files of tasks.

A task is a YAML file that begins with `defaults: [run, _self_]`. Tasks are looked for in `tasks/` of the
user's current folder, in the current folder itself, and then in simdistill.
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
    """Returns name -> file of all tasks; the user's own tasks take precedence over simdistill's."""
    found = {}
    for folder in reversed(folders()):
        for path in sorted(folder.glob("*.yaml")):
            if _is_task(path):
                found[path.stem] = path
    return dict(sorted(found.items()))


def describe_task(path: Path) -> str:
    """Returns a task's one-line description."""
    return str((read_yaml(path).get("task") or {}).get("description", ""))


def folders() -> list[Path]:
    """Returns the folders in which tasks are looked for, in the order of their precedence."""
    return [Path.cwd() / "tasks", Path.cwd(), Path(str(files("simdistill.tasks")))]


def task_file(task: str) -> Path:
    """Returns the file of a task that is given by its name or path.

    Raises:
        InputError: If there is no such task; the message lists all tasks and suggests the closest one.
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
    """Returns whether there is a file at a path; False for a name too long for the file system."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a mapping of fields from a YAML file.

    Raises:
        InputError: If the file is missing, isn't YAML or doesn't contain a mapping.
    """
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: can't be read as YAML: {reason(error)}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: must be a mapping of fields, as in task: …")
    return value


def reason(error: Exception) -> str:
    """Returns an error's message on one line, without links to a library's documentation."""
    if isinstance(error, OmegaConfBaseException):
        problem = str(error).splitlines()[0]
        return f"{error.full_key}: {problem}; for the characters ${{ themselves write \\${{"
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip() and "://" not in line)


def _is_task(path: Path) -> bool:
    """Returns whether a YAML file is a task; other tools have YAML files in the current folder, too."""
    try:
        return {"task", "defaults"} <= read_yaml(path).keys()
    except InputError:
        return False
