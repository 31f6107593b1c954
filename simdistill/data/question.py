"""Questions about a process: a situation in words, its choices, and what the simulator says about each."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from datasets import Dataset, Features, List, Value, disable_progress_bars

from simdistill.envs.prompts import Prompter
from simdistill.errors import InputError
from simdistill.files import replacing
from simdistill.simulation import Forecast, Policy
from simdistill.simulation.forecasts import distribution
from simdistill.simulation.situations import Situation
from simdistill.teachers.cost_to_go import Labels, Searched

FEATURES = Features(
    {
        "kind": Value("string"),
        "task": Value("string"),
        "simulator": Value("string"),
        "split": Value("string"),
        "round": Value("int32"),
        "group": Value("int64"),
        "prompt": List({"role": Value("string"), "content": Value("string")}),
        "choices": List(Value("string")),
        "answer": Value("string"),
        "values": List(Value("float64")),
        "standard_errors": List(Value("float64")),
        "raw_values": List(Value("float64")),
        "raw_standard_errors": List(Value("float64")),
        "probabilities": List(Value("float64")),
        "params": Value("string"),
        "state": Value("string"),
        "seed_path": List(Value("int64")),
        "actions": List(Value("string")),
        "time": Value("float64"),
        "teacher_probabilities": List(Value("float64")),
    }
)


@dataclass(frozen=True)
class Question:
    """One row of `questions.parquet`.

    Attributes:
        kind: "decision" or "forecast".
        task: Name of the task.
        simulator: Name of the simulator.
        split: "train" or "tune".
        round: 0 for states that the teacher met, 1 and up for the student's own.
        group: Scenario; its questions share parameters and so the beginning of their prompts.
        prompt: Chat messages.
        choices: Labels of the legal choices.
        answer: The teacher's choice; of a forecast, what one future came to.
        values: Cost of each choice minus the least one, in cost units, denoised; empty for a forecast.
        standard_errors: Standard errors of `values`.
        raw_values: Simulated cost of each choice relative to the mean over choices.
        raw_standard_errors: Standard errors of `raw_values`.
        probabilities: Simulated distribution over the choices of a forecast; None for a decision.
        params: Parameters of the process, JSON.
        state: The observed state, JSON.
        seed_path: Seed path of the episode.
        actions: Answers that lead to the state, in order.
        time: Simulated time of the decision.
        teacher_probabilities: A language model's own probabilities over the choices; None where no language
            model teaches, or where it doesn't tell them.
    """

    kind: str
    task: str
    simulator: str
    split: str
    round: int
    group: int
    prompt: list[dict[str, str]]
    choices: list[str]
    answer: str
    values: list[float]
    standard_errors: list[float]
    raw_values: list[float]
    raw_standard_errors: list[float]
    probabilities: list[float] | None
    params: str
    state: str
    seed_path: list[int]
    actions: list[str]
    time: float
    teacher_probabilities: list[float] | None = None


def decision_questions(
    searched: Sequence[Searched],
    labels: Labels,
    language: Prompter,
    *,
    task: str,
    simulator: str,
    split: str,
    round: int,
    demonstrated: Policy | None = None,
) -> list[Question]:
    """Turns searched states into decision questions, one each.

    Args:
        searched: Situations with simulated values.
        labels: Their denoised values.
        language: The task's words.
        task: Name of the task.
        simulator: Name of the simulator.
        split: "train" or "tune".
        round: Whose states they are.
        demonstrated: A policy whose own choices are the answers; None for the choices of least cost.
    """
    names = labels.names
    questions = []
    for row, item in enumerate(searched):
        situation = item.situation
        columns = [names.index(choice) for choice in situation.choices]
        costs_C = labels.costs_SC[row, columns]
        answer = situation.choices[int(np.argmin(costs_C))]
        if demonstrated is not None:
            answer = demonstrated(situation.state, situation.choices)
        questions.append(
            Question(
                kind="decision",
                task=task,
                simulator=simulator,
                split=split,
                round=round,
                group=item.group,
                prompt=language.decision(situation.state),
                choices=list(situation.choices),
                answer=answer,
                values=costs_C.tolist(),
                standard_errors=labels.errors_SC[row, columns].tolist(),
                raw_values=labels.simulated_SC[row, columns].tolist(),
                raw_standard_errors=labels.simulated_errors_SC[row, columns].tolist(),
                probabilities=None,
                params=situation.params.model_dump_json(),
                state=json.dumps(situation.state),
                seed_path=list(situation.path),
                actions=list(situation.actions),
                time=situation.time,
            )
        )
    return questions


def forecast_question(
    situation: Situation,
    forecast: Forecast,
    buckets_K: np.ndarray,
    language: Prompter,
    *,
    task: str,
    simulator: str,
    split: str,
    group: int,
) -> Question:
    """Asks for an outcome of a situation.

    The answer is what the first future came to and the probabilities are the share of futures in each
    bucket. Cross-entropy to either is a proper score: it is least for who says the true distribution
    (Gneiting and Raftery, JASA 102, 2007).

    Args:
        situation: At a decision.
        forecast: What is asked.
        buckets_K: Bucket of the outcome in each future.
        language: The task's words.
        task: Name of the task.
        simulator: Name of the simulator.
        split: "train" or "tune".
        group: The situation's scenario.
    """
    labels = forecast.labels
    return Question(
        kind="forecast",
        task=task,
        simulator=simulator,
        split=split,
        round=0,
        group=group,
        prompt=language.forecast(situation.state, forecast.question, labels),
        choices=labels,
        answer=labels[buckets_K[0]],
        values=[],
        standard_errors=[],
        raw_values=[],
        raw_standard_errors=[],
        probabilities=distribution(buckets_K, len(labels)).tolist(),
        params=situation.params.model_dump_json(),
        state=json.dumps(situation.state),
        seed_path=list(situation.path),
        actions=list(situation.actions),
        time=situation.time,
    )


def save(questions: Sequence[Question], path: Path) -> None:
    """Writes questions as Parquet, in one step."""
    disable_progress_bars()
    with replacing(path) as temporary:
        rows = [asdict(question) for question in questions]
        columns = {name: [row[name] for row in rows] for name in FEATURES}
        Dataset.from_dict(columns, features=FEATURES).to_parquet(str(temporary))


def load(path: Path) -> list[Question]:
    """Reads what `save` wrote.

    Raises:
        InputError: If the file is missing or isn't a file of questions.
    """
    import pyarrow.parquet
    from pyarrow import ArrowException

    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
        return [Question(**row) for row in rows]
    except (OSError, ArrowException, TypeError) as error:
        raise InputError(f"{path} can't be read as questions: {error}") from None
