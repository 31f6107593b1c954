"""Names of simulators, teachers, methods and other plug-ins, resolved to "module:attribute" by entry points.

A plug-in is imported only when it is loaded, so listing names is cheap. A package offers its simulator with

    [project.entry-points."simdistill.simulators"]
    clinic = "my_package.clinic:Clinic"

and a notebook with `simdistill.register("clinic", "my_module:Clinic")`.
"""

import ast
import difflib
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from typing import Any

from simdistill.errors import InputError

KINDS = {
    "simulators": "simulator",
    "teachers": "teacher",
    "methods": "method",
    "questions": "kind of question",
    "metrics": "metric",
    "students": "student",
    "figures": "figure",
    "executors": "executor",
}
"""Kind of plug-in, in the plural as in the name of its entry-point group -> word for one such plug-in."""

_registered: dict[tuple[str, str], str] = {}


def register(name: str, target: str, kind: str = "simulators") -> None:
    """Registers "module:attribute" under a name until the program ends.

    The name takes precedence over an entry point of that name. It is also registered in worker processes that
    are started later.

    Raises:
        InputError: If the kind is unknown or the target isn't written "module:attribute".
    """
    _check_kind(kind)
    _split(target)
    _registered[kind, name] = target


def registered() -> dict[tuple[str, str], str]:
    """Returns (kind, name) -> target of all names registered so far, for processes that this one starts."""
    return dict(_registered)


def register_all(known: dict[tuple[str, str], str]) -> None:
    """Registers all that `registered` returned in another process."""
    _registered.update(known)


@contextmanager
def registering() -> Iterator[None]:
    """Begins a block with nothing registered, and forgets at its end what was registered inside it."""
    before = dict(_registered)
    _registered.clear()
    try:
        yield
    finally:
        _registered.clear()
        _registered.update(before)


def names(kind: str) -> list[str]:
    """Returns all names of one kind, sorted."""
    return sorted(_targets(kind))


def load(kind: str, name: str) -> Any:
    """Imports and returns the plug-in of a name, in place of which a target can be used, see `load_target`.

    Raises:
        InputError: If the name is unknown or its target doesn't exist. The message for an unknown name lists
            the available names and suggests the closest one.
    """
    target = name if ":" in name else _targets(kind).get(name)
    if target is None:
        raise InputError(unknown(KINDS[kind], name, names(kind)))
    return load_target(target, f"{KINDS[kind]} '{name}'")


def load_target(target: str, noun: str) -> Any:
    """Imports and returns what "module:attribute" or "file.py:attribute" names.

    A file's folder is added to `sys.path`, so that worker processes import the file by its name, too.

    Args:
        target: What to import.
        noun: What it is, for messages.

    Raises:
        InputError: If there is no such module, file or attribute.
    """
    module, attribute = _split(target)
    name = module_of(module, noun) if module.endswith(".py") else module
    try:
        return attrgetter(attribute)(import_module(name))
    except ModuleNotFoundError as error:
        # Only a missing target is the user's error; a missing dependency of the target keeps its traceback.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise InputError(f"{noun} is {target}, but there is no module {error.name}") from error
    except AttributeError as error:
        if error.name != attribute.split(".")[-1]:
            raise
        raise InputError(f"{noun} is {target}, but {module} has no {attribute}") from error


def module_of(file: str, noun: str) -> str:
    """Makes a Python file importable by its own name, and returns this name.

    Args:
        file: Path of the file.
        noun: What it is, for messages.

    Raises:
        InputError: If there is no such file, or Python imports another one by its name.
    """
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise InputError(f"{noun}: there is no file {path}")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    known = sys.modules.get(path.stem)
    place = getattr(known, "__file__", None) if known else getattr(find_spec(path.stem), "origin", None)
    if place is None or Path(place).resolve() != path:
        raise InputError(
            f"{noun}: Python imports {place or 'another module'} by the name {path.stem}, and not {path}; "
            "give the file another name"
        )
    return path.stem


def describe(kind: str, name: str) -> str:
    """Returns one line that describes a plug-in: its `description`, else the first line of its docstring.

    The line is taken from the source file if possible, as loading a method would import torch and TRL.
    """
    target = name if ":" in name else _targets(kind).get(name)
    text = _written(*_split(target)) if target else None
    if text is None:
        thing = load(kind, name)
        description = getattr(thing, "description", None)
        text = description if isinstance(description, str) else inspect.getdoc(thing)
    return text.strip().splitlines()[0] if text and text.strip() else ""


def policies(simulator: str) -> dict[str, Callable]:
    """Returns the policies that a simulator's author wrote: name -> policy."""
    return dict(getattr(load("simulators", simulator), "policies", {}))


def unknown(noun: str, name: str, available: Iterable[str]) -> str:
    """Returns the message for an unknown name: the available names and the closest one."""
    available = list(available)
    close = difflib.get_close_matches(name, available, n=1, cutoff=0.5)
    meant = f"; did you mean '{close[0]}'?" if close else ""
    return f"no {noun} '{name}'; available: {', '.join(available) or 'none'}{meant}"


def _targets(kind: str) -> dict[str, str]:
    """Returns name -> "module:attribute" of one kind."""
    _check_kind(kind)
    return _installed(kind) | {name: target for (of, name), target in _registered.items() if of == kind}


@cache
def _installed(kind: str) -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=f"simdistill.{kind}")}


def _written(module: str, attribute: str) -> str | None:
    """Returns the docstring of a class or function, or an object's literal `description=`, from the source.

    None if the source can't be read or has no such text.
    """
    try:
        spec = find_spec(module)
        source = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
        tree = ast.parse(source)
    except (ImportError, OSError, ValueError, SyntaxError):
        return None
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == attribute:
            return ast.get_docstring(node)
        if isinstance(node, ast.Assign) and [ast.unparse(name) for name in node.targets] == [attribute]:
            keywords = node.value.keywords if isinstance(node.value, ast.Call) else []
            texts = [
                k.value.value
                for k in keywords
                if k.arg == "description" and isinstance(k.value, ast.Constant)
            ]
            return str(texts[0]) if texts else None
    return None


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise InputError(unknown("kind", kind, KINDS))


def _split(target: str) -> tuple[str, str]:
    """Returns the module and the attribute of "module:attribute"."""
    module, colon, attribute = target.rpartition(":")  # a path of Windows has a colon of its own
    if not (module and colon and attribute):
        raise InputError(f"'{target}' must be written module:attribute, for example my_package.clinic:Clinic")
    return module, attribute
