"""A saved configuration is read as it was, whatever valid values its fields have."""

from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from simdistill import config, registry
from simdistill.config import RunConfig, compose
from simdistill.config.fields import leaves
from simdistill.config.plug_ins import section_class

APART = ("task.name", "task.simulator", "teacher.name", "method.name", "compute.name")
"""Fields whose values follow from the others, or are names of what there is."""


@pytest.fixture(scope="module")
def base() -> dict:
    """The plain values of a run."""
    return compose(["task=queueing"])[0].model_dump()


def values(field: FieldInfo) -> st.SearchStrategy[Any]:
    """Values that a field takes."""
    return of_type(field.annotation, field.metadata)


def of_type(annotation: Any, about: Any) -> st.SearchStrategy[Any]:
    """Values of a type with bounds."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        nested = [each.metadata if isinstance(each, FieldInfo) else [each] for each in inner[1:]]
        return of_type(inner[0], [*about, *(each for group in nested for each in group)])
    if origin in (Union, UnionType):
        return st.one_of(*(of_type(member, about) for member in inner))
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is list:
        return st.lists(of_type(inner[0], []), max_size=2)
    if origin is dict:
        return st.just({}) if "Range" in str(inner[1]) else st.dictionaries(words, of_type(inner[1], []))
    least = next((each.ge for each in about if hasattr(each, "ge")), None)
    above = next((each.gt for each in about if hasattr(each, "gt")), None)
    most = next((each.le for each in about if hasattr(each, "le")), None)
    below = next((each.lt for each in about if hasattr(each, "lt")), None)
    if annotation is float:
        low, high = (least if above is None else above), (most if below is None else below)
        return st.floats(
            low, high, exclude_min=above is not None, exclude_max=below is not None, allow_infinity=False,
            allow_nan=False,
        )  # fmt: skip
    return {
        int: st.integers(least, most),
        bool: st.booleans(),
        str: st.text(),
        Path: st.from_regex(r"\A[a-z /,='\[{$]{1,20}\Z").map(Path),
        NoneType: st.none(),
        Any: st.none() | st.integers() | words | st.lists(st.integers(), max_size=2),
    }.get(annotation, st.none())


words = st.text(st.characters(codec="utf-8", exclude_characters="~\x00"), min_size=1, max_size=20)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_configuration_is_read_as_it_was_saved(base, tmp_path, data):
    names = {
        "teacher": data.draw(st.sampled_from(["search", "join_shortest_queue"])),
        "method": data.draw(st.sampled_from(registry.names("methods"))),
        "compute": data.draw(st.sampled_from(registry.names("executors"))),
    }
    chosen = {section: section_class(section, name) for section, name in names.items()}
    plain = base | {section: {"name": name} for section, name in names.items()}
    free = {
        dotted: field
        for dotted, field in leaves(chosen)
        if dotted not in APART and not dotted.startswith("task.parameters")
    }
    for dotted in data.draw(st.lists(st.sampled_from(sorted(free)), unique=True, max_size=20)):
        *groups, name = dotted.split(".")
        section = plain
        for group in groups:
            section[group] = dict(section[group])
            section = section[group]
        section[name] = data.draw(values(free[dotted]), label=dotted)
    run = RunConfig.model_validate(plain)
    assert type(run.method) is chosen["method"]
    config.save(run, tmp_path / "config.yaml")
    assert config.load_config(tmp_path / "config.yaml") == run
