"""What examines a student is out of reach while it is taught and trained."""

from functools import partial

import pytest
from rich.console import Console

from simdistill.config import compose, for_training
from simdistill.envs.episodes import teaching_episode
from simdistill.envs.scenarios import draw, examination_sets
from simdistill.errors import InputError
from simdistill.executors import simulating
from simdistill.runs import pipeline
from simdistill.simulation import EPISODE, SAMPLE, TEST, TRAIN, generator
from simdistill.simulation.streams import Streams, without_tests
from simdistill.simulation.withheld import training
from simdistill.simulators.queueing import Queueing
from simdistill.teachers.state_search import search


@pytest.fixture(scope="module")
def config():
    return compose(["task=queueing", "teacher.scenarios=1"])[0]


EXAMINED = [(0, TEST, EPISODE, 0), (0, TEST, EPISODE, 1)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_simulation_of_training_can_not_draw_from_the_test_tree(workers):
    with simulating(workers) as compute:
        with pytest.raises(InputError, match="test tree"):
            list(training(compute)(generator, EXAMINED))
        assert len(list(compute(generator, EXAMINED))) == 2, "an examination can"


@pytest.mark.parametrize("draws", [Streams, generator, partial(Queueing, {})])
def test_neither_streams_nor_simulators_start_on_it(draws):
    with without_tests(), pytest.raises(InputError, match=r"\[0, 2, 0, 1\]"):
        draws((0, TEST, EPISODE, 1))
    with without_tests():
        draws((0, TRAIN, EPISODE, 1))
    draws((0, TEST, EPISODE, 1))


def test_a_search_below_the_test_tree_is_refused(config):
    task, teacher = for_training(config).task, config.teacher
    with without_tests(), pytest.raises(InputError, match="test tree"):
        teaching_episode(task, (0, TEST), 1, 0, 0)
    with without_tests(), pytest.raises(InputError, match="test tree"):
        search(task, teacher, (0, TEST), 1, 1, lambda s, c: c[0], map, [], lambda done, total: None)


@pytest.mark.parametrize(
    ("peek", "said"),
    [
        (lambda method: generator((0, TEST, SAMPLE, 0, 0)), "test tree"),
        (lambda method: method.config.task.parameters.out_of_distribution.values, "the examination only"),
    ],
)
def test_a_method_that_peeks_ends_the_run(peek, said, tmp_path, monkeypatch):
    monkeypatch.setattr("simdistill.training.methods.sft.SFT.stages", property(peek))
    small = ["generations=1", "scenarios=4", "futures=2", "compared_sets=2"]
    overrides = [
        *(f"teacher.{budget}" for budget in small),
        "distill.questions=8",
        "distill.validation_questions=8",
    ]
    place = ["workers=1", "threads=1", f"output={tmp_path / 'run'}"]
    config = compose(["task=queueing", "method=sft", "distill.forecasts=0", *overrides, *place])[0]
    with pytest.raises(InputError, match=said):
        pipeline.run(config, Console(quiet=True))


def test_ranges_out_of_distribution_are_withheld_under_every_seed(config):
    task = for_training(config).task
    draw(Queueing, task.parameters.default, task.parameters.train, (0, TRAIN, SAMPLE, 0))
    with pytest.raises(InputError, match="examination only"):
        draw(Queueing, task.parameters.default, task.parameters.out_of_distribution, (0, TRAIN, SAMPLE, 0))
    with pytest.raises(InputError, match="examination only"):
        examination_sets(Queueing, task.parameters, 0, 1)
    assert task.parameters.model_dump()["out_of_distribution"] == {"values": {}, "require": {}}
    assert config.task.parameters.out_of_distribution.values, "the run's own configuration keeps them"
