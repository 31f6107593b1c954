"""Builds the JSON Schema of a task's states from the states of the training questions."""

from collections.abc import Iterable
from typing import Any

from genson.schema.node import SchemaNode
from genson.schema.strategies import Boolean, List, Null, Number, Object, SchemaStrategy, String

MOST_TEXTS = 50
"""Largest number of different texts listed for a field; with as many, the list may be incomplete."""

TRAINING = "training"
"""Keyword with the range of a part's values in training. JSON Schema ignores it: a live state may differ."""


def schema_of(values: Iterable[Any]) -> dict[str, Any]:
    """Returns a JSON Schema that fits all given values.

    If lists always had the same length, each of their entries has its own schema. A part that had values of
    different types, or only null, accepts any value.
    """
    node = _Node()
    for value in values:
        node.add_object(value)
    return node.to_schema()


def type_of(schema: dict[str, Any]) -> str | None:
    """Returns the type that a schema requires of values other than null; None if it accepts any value."""
    found = schema.get("type")
    return found[0] if isinstance(found, list) else found


class _Remembering(SchemaStrategy):
    """Stores the values, so that the keyword `training` can describe their range."""

    def __init__(self, node_class: type[SchemaNode]):
        super().__init__(node_class)
        self.values: list[Any] = []

    def add_object(self, obj: Any) -> None:
        super().add_object(obj)
        self.values.append(obj)


class _Numbers(_Remembering, Number):
    def to_schema(self) -> dict[str, Any]:
        seen = {
            "minimum": min(self.values),
            "maximum": max(self.values),
            "decimals": max(map(_decimals, self.values)),
            "whole": any(isinstance(value, int) for value in self.values),
        }
        return {**super().to_schema(), TRAINING: seen}


class _Texts(_Remembering, String):
    def to_schema(self) -> dict[str, Any]:
        return {**super().to_schema(), TRAINING: {"values": sorted(set(self.values))[:MOST_TEXTS]}}


class _Lists(_Remembering, List):
    def to_schema(self) -> dict[str, Any]:
        lengths = list(map(len, self.values))
        seen = {"minItems": min(lengths), "maxItems": max(lengths)}
        schema = {"type": "array", TRAINING: seen, **super().to_schema()}
        if min(lengths) == max(lengths):
            schema |= seen
            if schema.pop("items", None) is not None:
                schema["prefixItems"] = [schema_of(entries) for entries in zip(*self.values, strict=True)]
        return schema


class _Objects(Object):
    def to_schema(self) -> dict[str, Any]:
        schema = {"properties": {}, **super().to_schema(), "additionalProperties": False}
        # genson sorts the required names; this restores their order in the training states.
        schema["required"] = [name for name in schema["properties"] if name in schema.get("required", ())]
        return schema


class _Node(SchemaNode):
    STRATEGIES = (Null, Boolean, _Numbers, _Texts, _Lists, _Objects)

    def to_schema(self) -> dict[str, Any]:
        schema = super().to_schema()
        parts = [
            {**part, "type": kind}
            for part in schema.get("anyOf", [schema])
            for kind in ([part["type"]] if isinstance(part.get("type"), str) else part.get("type", []))
        ]
        typed = [part for part in parts if part["type"] != "null"]
        if len(typed) != 1:
            return {}
        return {**typed[0], "type": [typed[0]["type"], "null"]} if len(parts) > 1 else typed[0]


def _decimals(value: float) -> int:
    """Returns the number of decimals of a number, up to 6."""
    return next((n for n in range(6) if round(value, n) == value), 6)
