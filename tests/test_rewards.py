"""Rewards: what the simulator says about an answer, looked up."""

import subprocess
import sys
from pathlib import Path

import pytest
from datasets import Dataset

from simdistill.rewards import PENALTY, answer, consistency, validity

CHOICES = [["A", "B"], ["0", "1", "10"]]
VALUES = [[0.0, 3.0], [4.0, 0.0, 2.0]]


def test_an_answer_costs_what_its_choice_costs():
    assert consistency(["A", "10"], CHOICES, VALUES) == [0.0, -2.0]
    assert consistency(["B\n", " 0 "], CHOICES, VALUES, scale=[2.0, 4.0]) == [-1.5, -1.0]


def test_what_is_no_choice_is_worse_than_the_worst():
    assert consistency(["C", ""], CHOICES, VALUES, scale=[2.0, 2.0], state=["{}", "{}"]) == [-2.5, -3.0]
    assert validity(["C", "10"], CHOICES) == [0.0, 1.0]


def test_a_forecast_is_neither_rewarded_nor_refused():
    """A row of `questions.parquet` that asks for an outcome has no values."""
    said, choices, values = ["A", "10", "much"], [*CHOICES, CHOICES[0]], [VALUES[0], [], []]
    assert consistency(said, choices, values, scale=[1.0] * 3) == [0.0, None, None]


def test_conversations_and_reasoning_end_with_the_answer():
    said = [{"role": "assistant", "content": "The fast server has room.\nAnswer: A"}]
    assert answer(said) == "A"
    assert consistency([said], CHOICES[:1], VALUES[:1]) == [0.0]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("A is short, B is long.\nB", "B"),
        ("Answer: A would wait. No.\nAnswer: B", "B"),
        ("A is short. Answer: A", "A"),
        ("Answer: A\n\nThat is all.", "A"),
        ("Answer:", ""),
        ("answer: **A**", "**A**"),
        ("<think>B?</think>\nA", "A"),
        ("I don't know", "I don't know"),
    ],
)
def test_the_answer_is_what_follows_the_reasoning(text, label):
    assert answer(text) == label


def test_what_can_not_be_read_gets_the_declared_penalty():
    assert consistency(["A or B", "Answer: either"], [["A", "B"]] * 2, [[0.0, 3.0]] * 2) == [-3 - PENALTY] * 2


@pytest.mark.parametrize(
    "said",
    ["A", "**A**", "A.", "a", "Answer: **A**", "answer: A", '"A"', "<think>B?</think>\n\nA", "B is busy.\nA"],
)
@pytest.mark.parametrize("form", [str, lambda text: [{"role": "assistant", "content": text}]])
def test_the_form_of_an_answer_costs_nothing(said, form):
    assert consistency([form(said)], [["B", "A"]], [[0.0, 3.0]]) == [-3.0]
    assert validity([form(said)], [["B", "A"]]) == [1.0]


@pytest.mark.parametrize(
    "content", [None, [], [{"type": "text", "text": "A or B"}], [{"type": "image"}], 7, "A or B", {}]
)
def test_content_that_is_no_answer_ends_no_run(content):
    completions = [[{"role": "assistant", "content": content}]]
    assert consistency(completions, [["B", "A"]], [[0.0, 3.0]]) == [-4.0]
    assert validity(completions, [["B", "A"]]) == [0.0]
    assert isinstance(answer(completions[0]), str)


def test_parts_of_a_message_are_one_text():
    parts = [{"type": "thinking", "thinking": "B?"}, {"type": "text", "text": "Answer: "}, "A"]
    assert consistency([[{"role": "assistant", "content": parts}]], [["B", "A"]], [[0.0, 3.0]]) == [-3.0]


def test_the_log_says_how_many_answers_needed_leniency():
    log: list[tuple[str, float]] = []
    columns = {
        "completions": ["A", "**A**", "b", "C"],
        "choices": [["A", "B"]] * 4,
        "values": [[0.0, 1.0]] * 4,
        "log_metric": lambda name, value: log.append((name, value)),
    }
    consistency(**columns)
    validity(**columns)
    assert log == [("lenient_answers", 0.5)] * 2


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="zip"):
        consistency(["A"], CHOICES, VALUES)


@pytest.mark.slow
def test_trl_takes_a_reward_by_its_name(tiny_folder, tmp_path):
    """TRL's own command, and of a run only its questions and the reward."""
    rows = [
        {
            "prompt": [{"role": "user", "content": f"Jobs A {number}, B 3."}],
            "choices": ["A", "B"],
            "values": [0.0, 1.0] if number else [],
        }
        for number in range(4)
    ]
    Dataset.from_list(rows).to_parquet(tmp_path / "questions.parquet")
    options = {
        "model_name_or_path": tiny_folder,
        "dataset_name": tmp_path,
        "reward_funcs": "simdistill.rewards.consistency",
        "output_dir": tmp_path / "out",
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "max_steps": 2,
        "per_device_train_batch_size": 4,
        "num_generations": 4,
        "max_completion_length": 4,
        "logging_steps": 1,
        "report_to": "none",
    }
    given = [f"--{name}={value}" for name, value in options.items()]
    command = [str(Path(sys.executable).with_name("trl")), "grpo", *given]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "rewards/consistency/mean" in done.stdout + done.stderr
    assert (tmp_path / "out" / "model.safetensors").exists()
