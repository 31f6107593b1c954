"""Every registered simulator, driven with random answers and random parameters.

Nothing crashes, nothing is lost, illegal answers are counted, and what isn't a sound parameter is told.
"""

import math
import random
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simdistill import config, registry
from simdistill.config import TaskConfig
from simdistill.envs.scenarios import begin, draw
from simdistill.errors import InputError
from simdistill.simulation import ProcessModel
from simdistill.testing import answer_at_random

DECISIONS = 30
"""Decisions of an episode."""

ILLEGAL = ("", "no such choice", "🙂", None, 3, math.nan)
"""Answers that are legal nowhere."""

QUICK = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=6,
    suppress_health_check=(HealthCheck.too_slow,),
)


@cache
def simulator(name: str) -> type[ProcessModel]:
    return registry.load("simulators", name)


@cache
def tasks() -> list[TaskConfig]:
    return [config.compose([f"task={task}"], check=False)[0].task for task in config.tasks()]


every_simulator = pytest.mark.parametrize("name", registry.names("simulators"))


@every_simulator
@QUICK
@given(seed=st.integers(0, 2**32 - 1), illegal=st.sampled_from([0.0, 0.2, 1.0]), unseen=st.booleans())
def test_random_answers_with_the_parameters_of_its_tasks(name, seed, illegal, unseen):
    for task in tasks():
        if task.simulator != name:
            continue
        parameters = task.parameters
        ranges = parameters.out_of_distribution if unseen else parameters.train
        params = draw(simulator(name), parameters.default, ranges, (seed,))
        if not unseen:
            params = begin(simulator(name), params, parameters.starts, (seed, 1))
        model = simulator(name)(params, (seed,))
        answer_at_random(model, random.Random(seed), illegal, DECISIONS, ILLEGAL)


def changed(value: Any, chance: random.Random) -> Any:
    """A value of the same kind that may be sound or not."""
    if isinstance(value, bool):
        return chance.random() < 0.5
    if isinstance(value, int):
        return max(0, value + chance.randint(-2, 2))
    if isinstance(value, float):
        return round(value * chance.uniform(0.4, 1.8), 3)
    if isinstance(value, list | tuple):
        return [changed(part, chance) for part in value]
    if isinstance(value, dict):
        return {key: changed(part, chance) for key, part in value.items()}
    return value


@every_simulator
@QUICK
@given(seed=st.integers(0, 2**32 - 1), illegal=st.sampled_from([0.0, 0.2, 1.0]))
def test_random_answers_with_changed_parameters(name, seed, illegal):
    chance = random.Random(seed)
    values = simulator(name).parse({}).model_dump()
    some = {key: changed(value, chance) for key, value in values.items() if chance.random() < 0.3}
    try:
        model = simulator(name)(some, (seed,))
    except InputError as error:
        assert simulator(name).__name__ in str(error)
        return
    answer_at_random(model, chance, illegal, DECISIONS, ILLEGAL)


NONSENSE = st.one_of(
    st.none(),
    st.floats(),
    st.integers(-3, 3),
    st.text(max_size=3),
    st.lists(st.floats(), max_size=3),
    st.just({}),
)


@every_simulator
@QUICK
@given(data=st.data())
def test_nonsense_is_told_by_name(name, data):
    field = data.draw(st.sampled_from(sorted(simulator(name).Params.model_fields)))
    try:
        simulator(name).parse({field: data.draw(NONSENSE)})
    except InputError as error:
        assert str(error).startswith(simulator(name).__name__)
    with pytest.raises(InputError, match=f"{simulator(name).__name__}.no_such_parameter"):
        simulator(name).parse({"no_such_parameter": 1})
