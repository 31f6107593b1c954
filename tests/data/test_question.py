"""Questions: rows that can be read by anybody and that reproduce their state."""

import dataclasses
import json

import numpy as np
import pytest
from datasets import load_dataset

from simdistill.config import compose
from simdistill.data.question import FEATURES, Question, decision_questions, load, save
from simdistill.envs.prompts import Prompter
from simdistill.errors import InputError
from simdistill.simulation import TRAIN, World
from simdistill.simulation.branching import replay
from simdistill.simulation.streams import Streams
from simdistill.simulators.queueing import Queueing, shortest_expected_delay
from simdistill.teachers.cost_to_go import Labels, centred
from simdistill.teachers.state_search import search


@pytest.fixture(scope="module")
def config():
    return compose(
        [
            "task=queueing",
            "teacher.episodes_per_scenario=2",
            "teacher.states_per_episode=3",
            "teacher.decisions_between=1",
            "teacher.futures=4",
            "teacher.horizon=20",
        ]
    )[0]


@pytest.fixture(scope="module")
def searched(config):
    return search(
        config.task, config.teacher, (0, TRAIN), 1, 5, shortest_expected_delay, map, [], lambda *_: None
    )


@pytest.fixture(scope="module")
def questions(config, searched) -> list[Question]:
    costs_SC, variances_SC = centred(searched, ("A", "B"))
    values_SC = costs_SC - costs_SC.min(axis=1, keepdims=True)
    errors_SC = np.sqrt(variances_SC)
    labels = Labels(("A", "B"), values_SC, errors_SC, costs_SC, errors_SC)
    return decision_questions(
        searched,
        labels,
        Prompter(config.task.language),
        task="queueing",
        simulator="queueing",
        split="train",
        round=0,
    )


def test_a_searched_state_is_asked_about(questions, searched):
    assert len(questions) == len(searched) == 30
    for question, item in zip(questions, searched, strict=True):
        assert question.choices == ["A", "B"]
        assert question.answer == question.choices[int(np.argmin(question.values))]
        assert min(question.values) == 0.0
        assert sum(question.raw_values) == pytest.approx(0.0, abs=1e-9)
        assert question.probabilities is None
        jobs = json.loads(question.state)["jobs"]
        assert question.prompt[1]["content"].endswith(f"Jobs A {jobs[0]}, B {jobs[1]}")
        assert question.group == item.group
    assert len({question.group for question in questions}) == 5
    assert {question.answer for question in questions} == {"A", "B"}


def test_a_policy_may_demonstrate_instead(config, searched):
    labels = Labels(("A", "B"), *[np.zeros((len(searched), 2))] * 4)
    asked = decision_questions(
        searched,
        labels,
        Prompter(config.task.language),
        task="t",
        simulator="queueing",
        split="train",
        round=0,
        demonstrated=shortest_expected_delay,
    )
    for question, item in zip(asked, searched, strict=True):
        assert question.answer == shortest_expected_delay(item.situation.state, item.situation.choices)
    assert {question.answer for question in asked} == {"A", "B"}


def test_choices_that_are_not_legal_are_left_out(config, searched):
    names = ("B", "C", "A")
    costs_SC = np.array([[2.0, np.nan, 0.0]] * len(searched))
    errors_SC = np.array([[1.0, np.nan, 0.0]] * len(searched))
    labels = Labels(names, costs_SC, errors_SC, costs_SC, errors_SC)
    (question, *_) = decision_questions(
        searched,
        labels,
        Prompter(config.task.language),
        task="t",
        simulator="queueing",
        split="tune",
        round=1,
    )
    assert (question.choices, question.values, question.standard_errors) == (
        ["A", "B"],
        [0.0, 2.0],
        [0.0, 1.0],
    )
    assert (question.answer, question.split, question.round) == ("A", "tune", 1)


def test_parquet_gives_back_what_was_saved(questions, tmp_path):
    path = tmp_path / "questions.parquet"
    forecast = dataclasses.replace(questions[0], kind="forecast", probabilities=[0.25, 0.75])
    save([*questions, forecast], path)
    assert load(path) == [*questions, forecast]
    assert [file.name for file in tmp_path.iterdir()] == ["questions.parquet"]


def test_datasets_reads_the_file(questions, tmp_path):
    path = tmp_path / "questions.parquet"
    save(questions, path)
    dataset = load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert dataset.num_rows == len(questions)
    assert dataset.features == FEATURES
    assert [Question(**row) for row in dataset.to_list()] == questions


def test_a_row_reproduces_its_state(questions, tmp_path):
    path = tmp_path / "questions.parquet"
    save(questions, path)
    for question in load(path):
        params = Queueing.parse(json.loads(question.params))
        model, decision = replay(
            Queueing, params, World(Streams(tuple(question.seed_path))), question.actions
        )
        assert model.state(decision) == json.loads(question.state)
        assert model.env.now == question.time
        assert decision.labels == question.choices
    assert len({tuple(question.seed_path) for question in questions}) == 10
    assert {len(question.actions) for question in questions} == {0, 2, 4}


def test_a_file_that_is_missing_or_no_file_of_questions(tmp_path, questions):
    with pytest.raises(InputError, match=r"missing.parquet can't be read as questions"):
        load(tmp_path / "missing.parquet")
    torn = tmp_path / "torn.parquet"
    save(questions, torn)
    torn.write_bytes(torn.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"torn.parquet can't be read"):
        load(torn)
    import pyarrow
    import pyarrow.parquet

    other = tmp_path / "other.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), other)
    with pytest.raises(InputError, match=r"other.parquet can't be read"):
        load(other)


def test_saving_again_replaces_the_whole_file(questions, tmp_path):
    path = tmp_path / "questions.parquet"
    save(questions, path)
    save(questions[:3], path)
    assert len(load(path)) == 3
