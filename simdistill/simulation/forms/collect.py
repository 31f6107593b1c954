"""The form of states: what the author declared of it, and the rest as collected from states."""

import enum
import types
import typing
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import pydantic

from simdistill.errors import InputError
from simdistill.simulation.forms.form import (
    Category,
    Fields,
    Form,
    Missing,
    Number,
    Places,
    Queue,
    Text,
    wrong,
)

MOST_TEXTS = 50
"""Largest number of different texts of a field that is a category."""


class _ReadOnly:
    """Marks texts that are only there to be read."""

    def __repr__(self) -> str:
        return "only to be read"


Words = Annotated[str, _ReadOnly()]
"""Type of a declared text that is only there to be read, as other fields say the same in numbers."""


def form_of(states: Iterable[Mapping[str, Any]], observes: type | None = None, pool: bool = False) -> Fields:
    """Returns the form that states have in common.

    Args:
        states: States as `observe` returned them; if everything is declared, a few suffice.
        observes: What the process's author declared: a TypedDict or a pydantic model. In it, `Literal` and
            Enum stand for a category, `list` for a list of varying length, `tuple` for one of fixed length,
            `| None` for a value that may be missing, and `Words` for a text that is only there to be read.
            The form of a field that isn't declared, or is declared as `str` or `Any`, is collected.
        pool: Whether a text with too many values becomes a category all the same, with one feature for all of
            its rare values.

    Raises:
        InputError: If a value's type differs from state to state; the message names the field and the values.
    """
    return _Collecting(pool).fields(list(states), "", _hints(observes) if observes is not None else {})


class _Collecting:
    """Collects forms from values; `pool` is that of `form_of`."""

    def __init__(self, pool: bool):
        self.pool = pool

    def form(self, values: Sequence[Any], where: str, hint: Any = Any) -> Form:
        """Returns the form of the values in one place."""
        if hint is not Any:
            return self.declared(values, where, hint)
        given = [value for value in values if value is not None]
        missing = len(given) < len(values)
        kinds = {_kind(value, where): value for value in given}
        if len(kinds) > 1:
            one, other, *_ = kinds.values()
            raise wrong(where, other, f"elsewhere it is {one!r}; give one type to each field")
        kind = next(iter(kinds), "number")
        if kind == "text":
            return self.texts(given, missing)
        if kind == "fields":
            form = self.fields(given, where, {})
        elif kind == "list":
            form = self.lists(given, where)
        else:
            form = Number()
        return Missing(value=form) if missing else form

    def texts(self, given: Sequence[str], missing: bool) -> Form:
        """Returns a category of the given texts, or the form of a text if they are too many."""
        counts = Counter(map(str, given))
        if self.pool and len(counts) > MOST_TEXTS:
            counts = Counter({text: n for text, n in counts.items() if n > 1})
        values: list[str | None] = [*sorted(text for text, _ in counts.most_common(MOST_TEXTS))]
        if len(counts) > MOST_TEXTS and not self.pool:
            return Missing(value=Text()) if missing else Text()
        return Category(values=(*values, *[None] * missing))

    def fields(self, given: Sequence[Mapping[str, Any]], where: str, hints: Mapping[str, Any]) -> Fields:
        """Returns the form of dictionaries; a name that some of them lack may be missing."""
        names = dict.fromkeys(name for value in given for name in value) or dict.fromkeys(hints)
        for name in hints:
            names.setdefault(name)
        parts: dict[str, Form] = {}
        for name in names:
            place = f"{where}.{name}" if where else str(name)
            # A field that a dictionary lacks is None; the declaration of a field says whether it may be.
            values = [value.get(name) for value in given]
            parts[str(name)] = self.form(values, place, hints.get(name, Any))
        return Fields(parts=parts)

    def lists(self, given: Sequence[Sequence[Any]], where: str) -> Form:
        """Returns the form of lists: places if they all have one length, else a queue."""
        lengths = set(map(len, given))
        entries = [entry for value in given for entry in value]
        if len(lengths) > 1:
            return Queue(entry=self.form(entries, f"{where}[]"))
        if entries and all(isinstance(entry, str) for entry in entries):  # one set of values for all places
            return Places(parts=(self.texts(entries, False),) * len(given[0]))
        places = zip(*given, strict=True)
        return Places(
            parts=tuple(self.form(values, f"{where}[{place}]") for place, values in enumerate(places))
        )

    def declared(self, values: Sequence[Any], where: str, hint: Any) -> Form:
        """Returns the form that a declared type stands for."""
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        given = [value for value in values if value is not None]
        if origin is typing.Required:
            return self.form(values, where, arguments[0])
        if origin is typing.NotRequired:
            form = self.form(given, where, arguments[0])
            return form if form.optional else _optional(form)
        if origin is Annotated:
            read_only = any(isinstance(mark, _ReadOnly) for mark in arguments[1:])
            return Text(declared=True) if read_only else self.form(values, where, arguments[0])
        if origin in (typing.Union, types.UnionType):
            types_ = [one for one in arguments if one is not types.NoneType]
            if len(types_) > 1:
                if all(typing.get_origin(one) is Literal for one in types_):
                    types_ = [Literal[tuple(value for one in types_ for value in typing.get_args(one))]]
                elif set(types_) <= {int, float, bool}:
                    types_ = [float]
                else:
                    raise InputError(f"observes: {where}: {hint} has several types; give one to each field")
            form = self.form(given, where, types_[0])
            return form if form.optional or len(types_) == len(arguments) else _optional(form)
        if origin is Literal:
            return Category(values=arguments, others=False)
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return Category(values=tuple(member.value for member in hint), others=False)
        if hint in (int, float, bool):
            return Number()
        if hint is str:
            if (other := next((value for value in given if not isinstance(value, str)), None)) is not None:
                raise wrong(where, other, "it is declared as a text")
            return self.texts(given, False)
        if hint in (list, Sequence) or origin in (list, Sequence, typing.Sequence, Iterable):
            entries = [entry for value in given for entry in value]
            entry = self.form(entries, f"{where}[]", arguments[0] if arguments else Any)
            if isinstance(entry, Text) and entry.declared:
                return Text(many=True, declared=True)
            return Queue(entry=entry)
        if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
            columns = [[value[place] for value in given] for place in range(len(arguments))]
            parts = zip(columns, arguments, strict=True)
            return Places(parts=tuple(self.form(v, f"{where}[{n}]", one) for n, (v, one) in enumerate(parts)))
        if origin is tuple:
            return Queue(
                entry=self.form([entry for value in given for entry in value], f"{where}[]", arguments[0])
            )
        if _has_fields(hint):
            return self.fields(given, where, _hints(hint))
        if hint in (dict, Mapping) or origin in (dict, Mapping):
            return self.form(values, where)
        raise InputError(
            f"observes: {where}: {hint} can't be encoded; use int, float, bool, str, Literal, an Enum, list, "
            "tuple, a TypedDict or a pydantic model"
        )


def _hints(observes: type) -> dict[str, Any]:
    """Returns the type of each declared field."""
    if not _has_fields(observes):
        raise InputError(f"observes must be a TypedDict or a pydantic model, got {observes!r}")
    hints = typing.get_type_hints(observes, include_extras=True)
    if issubclass(observes, pydantic.BaseModel):
        fields = observes.model_fields
        hints = {name: hint for name, hint in hints.items() if name in fields}
        optional = {name for name, field in fields.items() if not field.is_required()}
    else:
        optional = observes.__optional_keys__  # type: ignore[attr-defined]
    plain = {typing.Required, typing.NotRequired}
    return {
        name: typing.NotRequired[hint] if name in optional and typing.get_origin(hint) not in plain else hint
        for name, hint in hints.items()
    }


def _has_fields(hint: Any) -> bool:
    """Returns whether a type is a pydantic model or a TypedDict, of `typing` or `typing_extensions`."""
    if not isinstance(hint, type):
        return False
    return issubclass(hint, pydantic.BaseModel) or (issubclass(hint, dict) and hasattr(hint, "__total__"))


def _optional(form: Form) -> Form:
    if isinstance(form, Category):
        return Category(values=(*form.values, None), others=form.others)
    return Missing(value=form)


def _kind(value: Any, where: str) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, Mapping):
        return "fields"
    if isinstance(value, list | tuple):
        return "list"
    raise wrong(where, value, f"it is a {type(value).__name__}; give numbers, texts, lists and dictionaries")
