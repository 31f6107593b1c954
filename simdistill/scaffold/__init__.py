"""`simdistill new`: writes a working simulator with its task and test, to be adapted by its author."""

import keyword
import re
import sys
from collections.abc import Iterable
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template

from simdistill import config, registry
from simdistill.errors import InputError

PLAIN = {
    "$name.py": "simulator.py.template",
    "tasks/$name.yaml": "task.yaml.template",
    "test_$name.py": "test.py.template",
}
"""Path of each file that is written -> its template, for a simulator without a package."""

PACKAGE = {
    "pyproject.toml": "pyproject.toml.template",
    "$name/__init__.py": "package.py.template",
    "$name/simulator.py": "simulator.py.template",
    "tasks/$name.yaml": "task.yaml.template",
    "tests/test_$name.py": "test.py.template",
}
"""Path of each file that is written -> its template, for an installable package."""

RESERVED = ("outputs", "tasks", "tests")
"""Names of folders that runs or new simulators use; no simulator may have them."""


def new(name: str, folder: Path | str = ".", package: bool = False) -> list[Path]:
    """Writes a simulator, its task and its test.

    Args:
        name: Name of the simulator, its module and its task, e.g. "clinic".
        folder: Folder in which the files are written.
        package: Whether to write an installable package that offers the simulator as an entry point.

    Returns:
        Paths of the files, in a good order for reading.

    Raises:
        InputError: If the name can't be used, or a file exists already; nothing is written in this case.
    """
    folder = Path(folder)
    _check_form(name)
    words = {
        "name": name,
        "Class": "".join(part.capitalize() for part in name.split("_")),
        "module": f"{name}.simulator" if package else name,
        "folder": "parents[1]" if package else "parent",
        "test": f"tests/test_{name}.py" if package else f"test_{name}.py",
    }
    templates = {
        folder / Template(path).substitute(words): template
        for path, template in (PACKAGE if package else PLAIN).items()
    }
    _check_free(templates)
    _check_unknown(name, folder)
    for path, template in templates.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = Template((files(__name__) / template).read_text(encoding="utf-8")).substitute(words)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    return list(templates)


def _check_form(name: str) -> None:
    """Checks that a name can be a module, a task and a Gymnasium id."""
    if name in RESERVED or name.startswith("test_"):
        raise InputError(f"'{name}' is reserved for a folder or a test; choose another name")
    if re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) and not keyword.iskeyword(name):
        return
    better = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()).strip(
        "_0123456789"
    )
    meant = f"; is '{better}' meant?" if better and not keyword.iskeyword(better) else ""
    raise InputError(
        f"'{name}' can't be a simulator's name: use lower-case letters, digits and single underscores, as in "
        f"call_center, and no Python keyword{meant}"
    )


def _check_free(paths: Iterable[Path]) -> None:
    paths = list(paths)
    for parent in (parent for path in paths for parent in path.parents):
        if not parent.is_dir() and (parent.exists() or parent.is_symlink()):
            raise InputError(
                f"{parent} is no folder, and nothing was written; rename it or choose another folder"
            )
    found = [str(path) for path in paths if path.exists() or path.is_symlink()]
    if found:
        verb = "exists" if len(found) == 1 else "exist"
        raise InputError(
            f"{', '.join(found)} {verb} already, and nothing was written; choose another name or folder"
        )


def _check_unknown(name: str, folder: Path) -> None:
    """Checks that no simulator, task or Python module has the name; one would hide the other."""
    for kind, known in (("simulator", registry.names("simulators")), ("task", config.tasks())):
        if name in known:
            raise InputError(f"there is a {kind} '{name}' already; choose another name")
    spec = None if name in sys.stdlib_module_names else find_spec(name)
    origin = Path(spec.origin).resolve() if spec is not None and spec.origin is not None else None
    if name in sys.stdlib_module_names or (origin and not origin.is_relative_to(folder.resolve())):
        raise InputError(
            f"there is a Python module '{name}' already, which would be imported in place of yours; choose "
            f"another name, such as '{name}_process'"
        )
