"""What a process remembers: the variables of its model and of its SimPy processes.

By them two branches are told apart that have the same things scheduled and will cost different things all
the same, as one that has paid a bill and one that hasn't. A memory is made of plain values, lists and
dictionaries.
"""

import enum
import math
from collections import deque
from collections.abc import Mapping, Sequence, Sized
from types import FunctionType, GeneratorType, MethodType, ModuleType
from typing import Any, Protocol, TypeGuard

import numpy as np
import simpy

from simdistill.simulation.environment import StoppingEnvironment
from simdistill.simulation.parameters import Parameters
from simdistill.simulation.streams import Streams, World

MOST = 20_000
"""Values of one memory; what lies beyond isn't looked at."""
DEEPEST = 30
LONGEST = 1000
"""Entries of a list, set, dictionary or array beyond which only their number is looked at."""

_NOT_THE_MODELS = {
    *("params", "world", "seed_path", "env", "script", "illegal_answers", "_events", "_most_labels"),
    *("_put", "_chosen", "_costs", "_levels", "_tallies"),
}
"""Attributes of a model that its author doesn't set, and that measure or count only."""
_CLOCKS = frozenset(("usage_since", "_delay", "asleep_until_event", "env", "_env"))
"""Attributes of SimPy's objects that say when something began."""
_FOREIGN = (World, Streams, simpy.Environment, Parameters, ModuleType, type)
_PLAIN = (bool, int, float, complex, str, bytes, type(None))


class Running(Protocol):
    """What a process model has."""

    env: StoppingEnvironment


def memory_of(model: Running) -> Any:
    """Returns what a model remembers at this moment; it isn't changed."""
    looked = _Looked(vars(model))
    own = {name: value for name, value in vars(model).items() if name not in _NOT_THE_MODELS}
    return [looked.at(own, 0), looked.at([event for *_, event in sorted(model.env._queue)], 0)]


def differ(one: Any, other: Any, one_before: Any = None, other_before: Any = None) -> bool:
    """Whether two memories differ in more than what has been counted or written down so far.

    A number that has grown by as much in both since a time before is taken for a count or a sum, and a list
    or dictionary to which something was added in both for a record. These tell what was, not what is to come.

    Args:
        one: A memory.
        other: Another one, of the same time.
        one_before: The first at a time before; None if there is none.
        other_before: The second at that time.
    """
    if one is other:
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return _dictionaries_differ(one, other, one_before, other_before)
    if isinstance(one, list) and isinstance(other, list):
        return _lists_differ(one, other, one_before, other_before)
    if _is_number(one) and _is_number(other):
        return _numbers_differ(one, other, one_before, other_before)
    return type(one) is not type(other) or one != other


def _dictionaries_differ(one: dict, other: dict, one_before: Any, other_before: Any) -> bool:
    before, also = (part if isinstance(part, dict) else {} for part in (one_before, other_before))
    if one.keys() != other.keys():
        return not (_added(one, before) and _added(other, also))
    return any(differ(one[name], other[name], before.get(name), also.get(name)) for name in one)


def _lists_differ(one: list, other: list, one_before: Any, other_before: Any) -> bool:
    if one == other or (_continued(one, one_before) and _continued(other, other_before)):
        return False
    if len(one) != len(other):
        return True
    befores = (_padded(part, len(one)) for part in (one_before, other_before))
    return any(differ(*entries) for entries in zip(one, other, *befores, strict=True))


def _numbers_differ(one: float, other: float, one_before: Any, other_before: Any) -> bool:
    if math.isclose(one, other, rel_tol=1e-9) or (math.isnan(one) and math.isnan(other)):
        return False
    if not (_is_number(one_before) and _is_number(other_before)):
        return True
    grown = one - one_before
    return not (grown > 0 and math.isclose(grown, other - other_before, rel_tol=1e-9))


class _Looked:
    """Goes through the objects that a model holds, each of them once.

    Args:
        own: Attributes of the model itself, which a script holds by another object with the same attributes.
    """

    def __init__(self, own: dict[str, Any]):
        self._own, self._seen, self._kept = own, set[int](), []

    def at(self, thing: Any, depth: int) -> Any:
        """Returns what a thing holds as plain values, lists and dictionaries."""
        if isinstance(thing, enum.Enum):
            return repr(thing)
        if isinstance(thing, _PLAIN):
            return thing
        if isinstance(thing, np.generic):
            return thing.item()
        if isinstance(thing, _FOREIGN) or depth > DEEPEST or len(self._seen) > MOST:
            return type(thing).__name__
        if id(thing) in self._seen or getattr(thing, "__dict__", None) is self._own:
            return "seen"
        self._seen.add(id(thing))
        self._kept.append(thing)  # so that no other object gets its number
        return self._parts(thing, depth + 1)

    def _parts(self, thing: Any, depth: int) -> Any:
        if isinstance(thing, np.ndarray):
            return thing.tolist() if thing.size <= LONGEST and thing.dtype != object else list(thing.shape)
        if isinstance(thing, Sized) and len(thing) > LONGEST:
            return {"is": type(thing).__name__, "length": len(thing)}
        if isinstance(thing, Mapping):
            return {_name(name): self.at(value, depth) for name, value in thing.items()}
        if isinstance(thing, set | frozenset):
            return sorted(map(_name, thing))
        if isinstance(thing, Sequence | deque):
            return [self.at(part, depth) for part in thing]
        if isinstance(thing, GeneratorType):
            frame = thing.gi_frame
            if frame is None:
                return "over"
            told = {
                "of": thing.__qualname__,
                "at": str(frame.f_lasti),
                "in": self.at(thing.gi_yieldfrom, depth),
            }
            return {**told, **{f".{name}": self.at(value, depth) for name, value in frame.f_locals.items()}}
        if isinstance(thing, MethodType):
            return [thing.__func__.__qualname__, self.at(thing.__self__, depth)]
        if isinstance(thing, FunctionType):
            return [thing.__qualname__, *(self._cell(cell, depth) for cell in thing.__closure__ or ())]
        held = _attributes(thing)
        return {"is": type(thing).__name__, **{name: self.at(held[name], depth) for name in held}}

    def _cell(self, cell: Any, depth: int) -> Any:
        try:
            return self.at(cell.cell_contents, depth)
        except ValueError:  # an empty one
            return None


def _attributes(thing: Any) -> dict[str, Any]:
    slots = [name for kind in type(thing).__mro__ for name in _tuple(getattr(kind, "__slots__", ()))]
    found = {name: getattr(thing, name) for name in slots if hasattr(thing, name) and name != "__dict__"}
    found |= getattr(thing, "__dict__", {})
    return {name: value for name, value in found.items() if name not in _CLOCKS and not name.startswith("__")}


def _tuple(names: Any) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _name(key: Any) -> Any:
    """A key of a dictionary, or a member of a set, as text that is the same in every branch."""
    return repr(key) if isinstance(key, (*_PLAIN, tuple, enum.Enum)) else type(key).__name__


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _added(now: dict, before: Any) -> bool:
    """Whether entries were added to a dictionary, and those that were there are as they were."""
    return len(now) > len(before) and all(name in now and now[name] == before[name] for name in before)


def _continued(now: list, before: Any) -> bool:
    """Whether something was added at the end of a list, and nothing else changed."""
    return isinstance(before, list) and len(now) > len(before) and now[: len(before)] == before


def _padded(values: Any, length: int) -> list:
    """The entries of a list, followed by None."""
    return ([*values, *[None] * length] if isinstance(values, list) else [None] * length)[:length]
