"""Teachers of other packages: they teach a whole run, and their policies are read back."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pytest
from rich.console import Console

import simdistill
from simdistill.config import compose
from simdistill.data import store as questions
from simdistill.envs.episodes import Failure
from simdistill.errors import InputError
from simdistill.files import read_json, write_json
from simdistill.results import Results
from simdistill.runs import pipeline
from simdistill.runs.layout import Layout
from simdistill.simulation import EPISODE, TRAIN, Streams
from simdistill.simulation.policies import RandomPolicy
from simdistill.simulators.queueing import join_shortest_queue, shortest_expected_delay
from simdistill.statistics import Estimate
from simdistill.teachers.demonstration import demonstrate
from simdistill.teachers.loading import answers_itself, load_teacher, teacher_class
from simdistill.teachers.protocol import FILE, Generation, Lesson
from simdistill.teachers.value_network import FittedPolicy

STATES = [
    {"arrival_rate": 2.0, "service_rates": [2.0, 0.5], "jobs": [a, b]} for a in range(6) for b in range(4)
]


def silent(*_):
    """No progress bar."""


def threshold(limit: int, state: dict, choices) -> str:
    """Sends jobs to the first server while few wait there."""
    return choices[0] if state["jobs"][0] <= limit else choices[-1]


three = partial(threshold, 3)


def to_the_first(state: dict, choices) -> str:
    return choices[0]


@dataclass(frozen=True)
class Threshold:
    """A policy with a number in it, which JSON can keep."""

    limit: int

    def __call__(self, state: dict, choices) -> str:
        return threshold(self.limit, state, choices)

    def as_json(self) -> int:
        return self.limit

    @classmethod
    def from_json(cls, plain: int) -> "Threshold":
        return cls(plain)


class Strange:
    """A teacher of somebody else: no base class, no settings of its own."""

    def __init__(self, config, seed):
        self.config, self.seed = config, seed

    def teach(self, task, compute, progress):
        return demonstrate(task, self.config, self.seed, Threshold(3), compute, progress)


class Stubborn(Strange):
    """Answers by itself, and skips what it can't answer."""

    made_by: ClassVar = {"version": "1"}

    def answer(self, asked, progress):
        progress(len(asked), len(asked))
        return [replace(q, answer="B") for q in asked if "B" in q.choices][1:]


class Mute:
    """Isn't a teacher at all."""


@pytest.fixture(scope="module", autouse=True)
def registered():
    for name, target in {"strange": "Strange", "stubborn": "Stubborn", "mute": "Mute"}.items():
        simdistill.register(name, f"{__name__}:{target}", kind="teachers")


def tiny(config, **changes):
    budget = {"scenarios": 6, "episodes_per_scenario": 1, "states_per_episode": 3, "futures": 4}
    return config.teacher.model_copy(update={**budget, **changes})


def decisions(policy) -> list[str]:
    return [policy(state, ("A", "B")) for state in STATES]


def run(tiny_folder, output, *overrides: str):
    return compose(
        [
            "task=queueing",
            "teacher.scenarios=8",
            "teacher.futures=4",
            "task.horizon=100",
            "task.warm_up=20",
            "method=sft",
            "distill.questions=16",
            "distill.forecasts=0",
            "distill.validation_questions=8",
            "distill.batch_size=8",
            f"student={tiny_folder}",
            "student.lora.r=2",
            "student.lora.layers=1",
            "student.dtype=float32",
            "evaluation.parameter_sets=1",
            "evaluation.replications=2",
            "evaluation.tabulated_mass=0.5",
            "evaluation.questions_shown=1",
            "workers=1",
            "threads=1",
            f"output={output}",
            *overrides,
        ]
    )[0]


def test_a_teacher_of_another_package_teaches_a_whole_run(tiny_folder, tmp_path):
    folder = pipeline.run(run(tiny_folder, tmp_path / "run", "teacher=strange"), Console(quiet=True))
    asked = questions.load(folder / "questions.parquet")
    for question in asked:
        jobs = question.situation.state["jobs"]
        assert question.answer == ("A" if jobs[0] <= 3 else "B")
    assert {question.answer for question in asked} == {"A", "B"}
    lesson = Lesson.load(Layout.of(folder).of_task("queueing"), "queueing")
    assert lesson.policy == lesson.demonstrated == Threshold(3)
    cost = Results.read(folder / "metrics.json").tasks[0].policies["teacher"].cost["default"]
    assert cost is not None and (cost.mean or 0.0) > 0


def test_a_teacher_may_answer_by_itself(tiny_folder, tmp_path):
    config = run(tiny_folder, tmp_path / "run", "teacher=stubborn")
    folder = pipeline.run(config, Console(quiet=True))
    assert {question.answer for question in questions.load(folder / "questions.parquet")} == {"B"}
    made_by = Layout.of(folder).made_by
    assert read_json(made_by) == {"version": "1"}
    write_json(made_by, {"version": "0"})
    with pytest.raises(InputError, match=r"teacher stubborn has changed since this run began .*: version"):
        pipeline.evaluate(folder, Console(quiet=True))


def test_a_policy_of_the_simulator_teaches_by_its_own_choices(small):
    config = tiny(small, name="shortest_expected_delay")
    lesson = load_teacher(config, 0, "queueing").teach(small.task, map, silent)
    assert lesson.demonstrated is lesson.policy is shortest_expected_delay
    assert lesson.generations == ()
    assert len(lesson.searched) == 18
    assert lesson.labels.costs_SC.shape == (18, 2)


def test_a_function_of_a_module_teaches_under_its_place(small):
    config = tiny(small, name=f"{__name__}:to_the_first")
    lesson = load_teacher(config, 0, "queueing").teach(small.task, map, silent)
    assert lesson.policy is to_the_first


def test_which_teachers_answer_by_themselves_is_known_without_making_them():
    assert [answers_itself(name) for name in ("search", "random", "strange")] == [False] * 3
    assert [answers_itself(name) for name in ("stubborn", "hf", "endpoint")] == [True] * 3


def test_what_is_no_teacher_is_refused_with_a_reason(small):
    with pytest.raises(InputError, match=r"teacher 'mute': .*:Mute has no method teach"):
        teacher_class("mute")
    with pytest.raises(InputError, match=r"no policy 'shortest_expected_delai'.*did you mean 'shortest_exp"):
        load_teacher(tiny(small, name="shortest_expected_delai"), 0, "queueing")


@pytest.fixture(scope="module")
def lesson(small) -> Lesson:
    return demonstrate(small.task, tiny(small), 0, join_shortest_queue, map, silent)


@pytest.mark.parametrize(
    "policy",
    [join_shortest_queue, to_the_first, Threshold(2), RandomPolicy(Streams((0,)))],
    ids=["of the simulator", "of a module", "JSON", "random"],
)
def test_a_policy_is_read_back(policy, lesson, tmp_path):
    kept = replace(lesson, policy=policy, demonstrated=policy)
    kept.save(tmp_path)
    found = Lesson.load(tmp_path, "queueing")
    assert found.demonstrated is found.policy
    if isinstance(policy, RandomPolicy):
        assert isinstance(found.policy, RandomPolicy)
    else:
        assert decisions(found.policy) == decisions(policy)


def test_fitted_policies_are_read_back_with_what_they_fall_back_on(lesson, tmp_path):
    network = lesson.regression.network
    kept = replace(lesson, policy=network, demonstrated=None)
    kept.save(tmp_path)
    found = Lesson.load(tmp_path, "queueing")
    assert decisions(found.policy) == decisions(network)
    assert isinstance(found.policy, FittedPolicy) and found.demonstrated is None
    assert found.policy.fallback is join_shortest_queue
    np.testing.assert_array_equal(found.regression.network.costs(STATES), network.costs(STATES))
    taught = replace(network, fallback=network)
    replace(lesson, policy=taught, demonstrated=taught).save(tmp_path)
    again = Lesson.load(tmp_path, "queueing")
    assert isinstance(again.policy, FittedPolicy) and isinstance(again.policy.fallback, FittedPolicy)
    assert again.policy.fallback.fallback is join_shortest_queue


def test_what_a_search_found_and_lost_is_read_back(lesson, tmp_path):
    generation = Generation(1, True, Estimate(-0.1, -0.2, -0.05), 18, 400, 0.75)
    failure = Failure([0, TRAIN, EPISODE, 1, 2, 0], "router down")
    replace(lesson, generations=(generation,), failures=(failure,)).save(tmp_path)
    found = Lesson.load(tmp_path, "queueing")
    assert (found.generations, found.failures) == ((generation,), (failure,))
    plain = read_json(tmp_path / FILE)
    plain["generations"][0]["met"] = plain["generations"][0].pop("coupled")
    del plain["demonstrated"]
    write_json(tmp_path / FILE, plain)
    old = Lesson.load(tmp_path, "queueing")
    assert old.generations == (generation,) and old.demonstrated is join_shortest_queue


def nothing_simulated(function: Any, items: Any, /) -> Any:
    raise AssertionError("something was simulated")


def test_a_policy_that_cannot_be_kept_is_refused_before_anything_is_simulated(small):
    with pytest.raises(InputError, match=r"can't be kept in the run's folder.*as_json\(\)"):
        demonstrate(small.task, tiny(small), 0, three, nothing_simulated, silent)
