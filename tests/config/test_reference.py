"""Every field of a run in words."""

import json

from simdistill import config
from simdistill.config import compose


def test_every_field_is_there_once_with_its_type_bounds_default_and_meaning():
    described = [each for each in config.fields() if not each.owners]
    names = [each.name for each in described]
    assert len(set(names)) == len(names) and all(each.type and each.meaning for each in described)
    found = {each.name: each for each in described}
    rank = found["student.lora.r"]
    assert (rank.type, rank.bounds, rank.default) == ("integer", "≥ 1, ≤ 1024", "16")
    assert (found["output"].type, found["output"].default) == ("path or null", "null")
    assert found["student.layers"].bounds == "≥ 2" and found["task.name"].default is None
    assert found["student.dtype"].type == "auto or float32 or bfloat16"
    assert found["student.lora.targets"].type == "text or list of text"


def test_fields_of_plug_ins_name_their_owners():
    owned = {each.name: each for each in config.fields() if "chord" in each.owners or "opd" in each.owners}
    assert owned["method.samples"].owners == ("chord", "grpo", "sft_grpo", "simdistill_sampled")
    assert owned["method.mu"].owners == ("chord",) and owned["method.divergence"].owners == ("opd",)


def test_the_defaults_are_those_of_a_run():
    run = compose(["task=queueing", "method=chord"])[0].model_dump(mode="json")
    own = {each.name.removeprefix("method."): each for each in config.fields() if "chord" in each.owners}
    assert {name: json.loads(str(each.default)) for name, each in own.items()} == {
        name: value for name, value in run["method"].items() if name != "name"
    }
