"""The JSON Schema of a task's states, built from the states that training showed."""

from collections.abc import Iterable
from typing import Any

from genson.schema.node import SchemaNode
from genson.schema.strategies import Boolean, List, Null, Number, Object, SchemaStrategy, String

MOST_TEXTS = 50
"""Different texts of one field beyond which the texts that training showed aren't a list of all there are."""

TRAINING = "training"
"""The keyword that holds what training showed of a part. JSON Schema ignores it: a live state may differ."""


def schema_of(values: Iterable[Any]) -> dict[str, Any]:
    """Returns the JSON Schema of values that stand in the same place.

    A list whose length was always the same has a schema for each of its places. A place that held values of
    different types, or only null, takes anything.
    """
    node = _Node()
    for value in values:
        node.add_object(value)
    return node.to_schema()


def type_of(schema: dict[str, Any]) -> str | None:
    """Returns the type that a schema requires of a value that isn't null; None if it takes anything."""
    found = schema.get("type")
    return found[0] if isinstance(found, list) else found


class _Remembering(SchemaStrategy):
    """Keeps the values, for what `training` says about them."""

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
        # In the order of training, which genson sorts.
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
