"""Questions: rows that can be read by anybody and that reproduce their state."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from datasets import load_dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from simdistill import registry
from simdistill.config import compose
from simdistill.data.asking import Asking
from simdistill.data.kinds.decision import DecisionQuestion
from simdistill.data.kinds.forecast import ForecastQuestion
from simdistill.data.question import Question
from simdistill.data.store import features, load, save
from simdistill.envs.prompts import Prompter
from simdistill.errors import InputError
from simdistill.models.device import quiet
from simdistill.rewards import consistency
from simdistill.simulation import TRAIN, World
from simdistill.simulation.replaying import replay
from simdistill.simulation.situations import Situation
from simdistill.simulation.streams import Streams
from simdistill.simulators.queueing import Queueing, shortest_expected_delay
from simdistill.teachers.cost_to_go import Labels, centred
from simdistill.teachers.questions import questions as ask
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
def asking(config, searched) -> Asking:
    costs_SC, variances_SC = centred(searched, ("A", "B"))
    values_SC = costs_SC - costs_SC.min(axis=1, keepdims=True)
    errors_SC = np.sqrt(variances_SC)
    return Asking(
        task=config.task,
        prompts=Prompter(config.task.language),
        searched=searched,
        labels=Labels(("A", "B"), values_SC, errors_SC, costs_SC, errors_SC),
        policy=shortest_expected_delay,
        forecast_futures=8,
    )


@pytest.fixture(scope="module")
def questions(asking) -> list[DecisionQuestion]:
    return DecisionQuestion.pose(asking, 30)


def test_a_searched_state_is_asked_about(questions, searched):
    assert len(questions) == len(searched) == 30
    for question, item in zip(questions, searched, strict=True):
        assert question.choices == ["A", "B"]
        assert question.answer == question.choices[int(np.argmin(question.values))]
        assert min(question.values) == 0.0
        assert sum(question.raw_values) == pytest.approx(0.0, abs=1e-9)
        assert question.situation == item.situation
        jobs = question.situation.state["jobs"]
        assert question.prompt[1]["content"].endswith(f"Jobs A {jobs[0]}, B {jobs[1]}")
        assert question.group == item.group
    assert len({question.group for question in questions}) == 5
    assert {question.answer for question in questions} == {"A", "B"}


def test_a_policy_may_demonstrate_instead(asking, searched):
    labels = Labels(("A", "B"), *[np.zeros((len(searched), 2))] * 4)
    asked = DecisionQuestion.pose(
        replace(asking, labels=labels, demonstrated=shortest_expected_delay), len(searched)
    )
    for question, item in zip(asked, searched, strict=True):
        assert question.answer == shortest_expected_delay(item.situation.state, item.situation.choices)
    assert {question.answer for question in asked} == {"A", "B"}


def test_choices_that_are_not_legal_are_left_out(asking, searched):
    names = ("B", "C", "A")
    costs_SC = np.array([[2.0, np.nan, 0.0]] * len(searched))
    errors_SC = np.array([[1.0, np.nan, 0.0]] * len(searched))
    labels = Labels(names, costs_SC, errors_SC, costs_SC, errors_SC)
    (question,) = DecisionQuestion.pose(replace(asking, labels=labels, split="tune", round=1), 1)
    assert (question.choices, question.values, question.standard_errors) == (
        ["A", "B"],
        [0.0, 2.0],
        [0.0, 1.0],
    )
    assert (question.answer, question.split, question.round) == ("A", "tune", 1)


def test_a_forecast_follows_the_decision_in_the_same_state(asking, questions):
    shown = []
    asked = ask(replace(asking, progress=lambda *now: shown.append(now)), 20, {"forecast": 6})
    assert [question for question in asked if question.decides] == questions[:20]
    places = [n for n, question in enumerate(asked) if isinstance(question, ForecastQuestion)]
    assert len(places) == 6 and max(np.diff(places)) - min(np.diff(places)) <= 1
    outcomes = [tuple(forecast.labels) for forecast in Queueing.forecasts]
    for number, place in enumerate(places):
        forecast, decision = asked[place], asked[place - 1]
        assert forecast.situation == replace(decision.situation, choices=())
        assert forecast.prompt[0] == decision.prompt[0]
        assert forecast.prompt[1]["content"].startswith(decision.prompt[1]["content"])
        assert tuple(forecast.choices) == outcomes[number % len(outcomes)]
        assert sum(forecast.answer_C) == pytest.approx(1.0) and min(forecast.answer_C) > 0
    assert shown == [("ask for outcomes", number, 6) for number in range(7)]


def test_more_forecasts_than_states_are_not_asked(asking):
    assert [question.decides for question in ask(asking, 2, {"forecast": 9})] == [True, False, True, False]
    assert len(ask(asking, 2, {"forecast": 0})) == len(ask(asking, 2)) == 2


def test_a_decision_is_scored_by_its_expected_regret_and_a_forecast_by_its_log_score(asking, questions):
    worst = int(np.argmax(questions[0].values))
    assert questions[0].score(np.eye(2)[worst]) == questions[0].values[worst] > 0
    assert questions[0].score(np.eye(2)[1 - worst]) == 0
    assert questions[0].score(np.full(2, 0.5)) == pytest.approx(questions[0].values[worst] / 2)
    (forecast,) = ForecastQuestion.pose(asking, 1)
    truth_C = np.array(forecast.probabilities)
    entropy = -(truth_C * np.log(truth_C)).sum()
    assert forecast.score(truth_C) == pytest.approx(entropy)
    assert all(forecast.score(other_C) > entropy for other_C in np.eye(len(truth_C)))


def test_parquet_gives_back_what_was_saved(asking, tmp_path):
    path = tmp_path / "questions.parquet"
    asked = ask(asking, 30, {"forecast": 5})
    asked = [*asked[:-1], replace(asked[-1], teacher_probabilities=[0.25, 0.75])]
    save(asked, path)
    assert load(path) == asked
    assert [file.name for file in tmp_path.iterdir()] == ["questions.parquet"]


def test_datasets_reads_the_file(asking, tmp_path):
    path = tmp_path / "questions.parquet"
    asked = ask(asking, 30, {"forecast": 5})
    save(asked, path)
    dataset = load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert dataset.num_rows == len(asked) and dataset.features == features()
    kinds = {"decision": DecisionQuestion, "forecast": ForecastQuestion}
    assert [kinds[row["kind"]].from_row(row) for row in dataset.to_list()] == asked
    costs = [row["values"] for row in dataset.to_list()]
    assert costs == [question.costs_C for question in asked]
    nothing = [row["probabilities"] is None for row in dataset.to_list()]
    assert nothing == [question.decides for question in asked]


def test_the_file_has_what_trl_and_the_rewards_read(asking, tmp_path):
    path = tmp_path / "questions.parquet"
    asked = ask(asking, 6, {"forecast": 2})
    save(asked, path, {asked[0].task: 2.0})
    rows = load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    for row, question in zip(rows.to_list(), asked, strict=True):
        assert row["completion"] == [{"role": "assistant", "content": question.answer}]
        assert row["scale"] == 2.0
    given = {name: rows[name] for name in rows.column_names if name not in ("prompt", "completion")}
    found = consistency([[{"role": "assistant", "content": "neither"}]] * len(asked), **given)
    assert found == [-max(q.values) / 2 - 1 if isinstance(q, DecisionQuestion) else None for q in asked]
    assert consistency(["neither"], [asked[0].choices], [asked[0].costs_C], [None]) == [
        -max(asked[0].costs_C) - 1
    ]


def test_a_file_without_the_columns_for_trl_is_read(asking, tmp_path):
    """As versions before wrote it."""
    path, old = tmp_path / "questions.parquet", tmp_path / "old.parquet"
    asked = ask(asking, 6, {"forecast": 2})
    save(asked, path)
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(path).drop_columns(["completion", "scale"]), old)
    assert load(old) == asked


@pytest.mark.slow
def test_trl_trains_on_the_file_as_it_is(asking, tiny_folder, tmp_path):
    """Without any mapping of columns, as its commands `sft` and `grpo` do."""
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    path = tmp_path / "questions.parquet"
    asked = ask(asking, 6, {"forecast": 2})
    save(asked, path, {asked[0].task: 2.0})
    rows = load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    common: dict[str, Any] = {
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "max_steps": 2,
        "per_device_train_batch_size": 4,
        "logging_steps": 1,
        "report_to": "none",
        "save_strategy": "no",
    }
    with quiet():
        imitating = SFTTrainer(
            str(tiny_folder), args=SFTConfig(output_dir=str(tmp_path / "sft"), **common), train_dataset=rows
        )
        assert imitating.train().global_step == 2
        args = GRPOConfig(
            output_dir=str(tmp_path / "grpo"),
            num_generations=4,
            max_completion_length=4,
            scale_rewards="none",
            **common,
        )
        rewarded = GRPOTrainer(str(tiny_folder), reward_funcs=consistency, args=args, train_dataset=rows)
        assert rewarded.train().global_step == 2
    assert "lenient_answers" in rewarded.state.log_history[0]


def test_a_row_reproduces_its_state(questions, tmp_path):
    path = tmp_path / "questions.parquet"
    save(questions, path)
    for question in load(path):
        situation = question.situation
        model, decision = replay(
            Queueing, situation.params, World(Streams(situation.path)), situation.actions
        )
        assert model.state(decision) == situation.state
        assert model.env.now == situation.time
        assert decision.labels == question.choices
    assert len({question.situation.path for question in questions}) == 10
    assert {len(question.situation.actions) for question in questions} == {0, 2, 4}


def numbers(count: int, low: float = 0.0) -> st.SearchStrategy[list[float]]:
    return st.lists(st.floats(low, 1e300), min_size=count, max_size=count)


@st.composite
def any_question(draw) -> Question:
    """A question of either kind in a situation of the default queue, with any numbers and any text."""
    text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
    choices = draw(st.lists(text, min_size=1, max_size=4, unique=True))
    kind = draw(st.sampled_from([DecisionQuestion, ForecastQuestion]))
    state = st.recursive(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text, st.lists)
    situation = Situation(
        params=Queueing.Params(arrival_rate=draw(st.floats(0.01, 1e9))),
        path=tuple(draw(st.lists(st.integers(0, 2**62), max_size=6))),
        actions=tuple(draw(st.lists(text, max_size=3))),
        time=draw(st.floats(0, 1e9)),
        state=draw(st.dictionaries(text, state, max_size=3)),
        choices=tuple(choices) if kind.decides else (),
    )
    common = {
        "task": draw(text),
        "simulator": "queueing",
        "split": draw(st.sampled_from(["train", "tune"])),
        "round": draw(st.integers(0, 9)),
        "group": draw(st.integers(0, 2**62)),
        "prompt": [{"role": "user", "content": draw(text)}],
        "choices": choices,
        "answer": draw(st.sampled_from(choices)),
        "situation": situation,
    }
    count = len(choices)
    if kind is ForecastQuestion:
        return ForecastQuestion(**common, probabilities=draw(numbers(count)))
    costs = {
        name: draw(numbers(count, -1e300 if name == "raw_values" else 0.0))
        for name in ("values", "standard_errors", "raw_values", "raw_standard_errors")
    }
    return DecisionQuestion(
        **common, **costs, teacher_probabilities=draw(st.none() | st.just([1 / count] * count))
    )


@given(st.lists(any_question(), max_size=4))
@settings(max_examples=40, deadline=None)
def test_any_question_comes_back_from_its_row_and_from_its_file(asked):

    for question in asked:
        assert registry.load("questions", question.kind).from_row(question.row()) == question
        # Reading a row and writing it again changes no byte of it.
        assert type(question).from_row(question.row()).row() == question.row()
    with TemporaryDirectory() as folder:
        save(asked, Path(folder) / "questions.parquet")
        assert load(Path(folder) / "questions.parquet") == asked


FACT = """
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from simdistill.data.question import Question, Targets


@dataclass(frozen=True)
class Fact(Question):
    kind: ClassVar[str] = "fact"
    source: str

    @classmethod
    def pose(cls, asking, count):
        item = asking.searched[0]
        prompt = [{"role": "user", "content": "How many servers are there?"}]
        return [
            cls(asking.task.name, asking.task.simulator, asking.split, asking.round, item.group, prompt,
                ["1", "2"], "2", item.situation, source="the model")
            for _ in range(count)
        ]

    def targets(self, temperature, scale):
        return Targets(self.hard, np.array(self.answer_C), np.zeros(2))

    def score(self, probabilities_C):
        return -float(np.log(probabilities_C[self.hard]))
"""


@pytest.fixture
def fact(tmp_path, monkeypatch, own_registry):
    """A kind of question in a stranger's file, registered for one test."""
    (tmp_path / "stranger").mkdir()
    (tmp_path / "stranger" / "facts.py").write_text(FACT)
    monkeypatch.syspath_prepend(str(tmp_path / "stranger"))
    registry.register("fact", "facts:Fact", kind="questions")


def test_a_strangers_kind_is_asked_and_kept_with_its_own_column(fact, asking, tmp_path):
    asked = ask(asking, 3, {"forecast": 1, "fact": 2})
    kinds = [question.kind for question in asked]
    assert kinds == ["decision", "forecast", "fact", "fact", "decision", "decision"]
    save(asked, tmp_path / "questions.parquet")
    found = load(tmp_path / "questions.parquet")
    assert [question.row() for question in found] == [question.row() for question in asked]
    sources = [getattr(question, "source", None) for question in found]
    assert sources == [None, None, "the model", "the model", None, None]


def test_an_unknown_kind_is_told(asking, questions, tmp_path):
    with pytest.raises(InputError, match=r"no kind of question 'forecasts'.*did you mean 'forecast'"):
        ask(asking, 1, {"forecasts": 1})


def test_a_file_that_is_missing_or_no_file_of_questions(tmp_path, questions):
    with pytest.raises(InputError, match=r"missing.parquet can't be read as questions"):
        load(tmp_path / "missing.parquet")
    torn = tmp_path / "torn.parquet"
    save(questions, torn)
    torn.write_bytes(torn.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"torn.parquet can't be read"):
        load(torn)
    other = tmp_path / "other.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), other)
    with pytest.raises(InputError, match=r"other.parquet can't be read"):
        load(other)
    rows = [question.row() | {"kind": "riddle"} for question in questions]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), other)
    with pytest.raises(InputError, match=r"other.parquet can't be read.*no kind of question 'riddle'"):
        load(other)


def test_saving_again_replaces_the_whole_file(questions, tmp_path):
    path = tmp_path / "questions.parquet"
    save(questions, path)
    save(questions[:3], path)
    assert len(load(path)) == 3
