"""What the simulator says about an answer, as reward functions for any trainer of TRL.

    trl grpo --reward_funcs simdistill.rewards.consistency --scale_rewards none …

They are plain functions of the completions and of a data set's columns, which TRL hands over as lists: a row
of `questions.parquet` has `choices`, `values` and `scale`. Rewards are looked up; nothing is simulated
meanwhile. A reward is None where it says nothing about a question; TRL then leaves the completion out.

Answers are read as `simdistill.data.answers.parse` does: lenient in form, strict in meaning. TRL's log has
the share of answers that needed leniency as `lenient_answers`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from simdistill.data.answers import conclusion, parse, said

PENALTY = 1.0
"""What an answer that is no choice costs beyond the worst choice, in units of the task's scale."""
LENIENT = "lenient_answers"
"""Name in TRL's log of the share of answers that count as a choice although they have another form."""


Reward = Callable[..., list[float | None]]
"""A reward function as TRL calls it: completions and columns of the data set, by keyword -> rewards."""


def consistency(
    completions: Sequence[Any],
    choices: Sequence[Sequence[str]],
    values: Sequence[Sequence[float]],
    scale: Sequence[float | None] | None = None,
    **columns: Any,
) -> list[float | None]:
    """Rewards an answer with minus the cost that the simulator says it adds, in units of the task's scale.

    Use it with `scale_rewards="none"`: divided by a group's deviation, a choice that hardly matters weighs as
    much as one that ruins the day.

    Args:
        completions: Texts, or conversations that end with the model's message.
        choices: Labels of each question's choices.
        values: Cost of each choice minus the least one, in cost units; empty for a forecast.
        scale: The task's scale, in cost units; 1 if it is left out or None.
        columns: Other columns; not used.

    Returns:
        One reward a completion, at most 0; what is no choice gets `PENALTY` less than the worst choice. None
        for a forecast, whose outcomes cost nothing.
    """
    scales = [unit or 1.0 for unit in scale or [None] * len(completions)]
    places = read(completions, choices, columns.get("log_metric"))
    rewards: list[float | None] = []
    for place, costs, unit in zip(places, values, scales, strict=True):
        if not costs:
            rewards.append(None)
            continue
        cost = max(costs) / unit + PENALTY if place is None else costs[place] / unit
        rewards.append(-cost)
    return rewards


def validity(
    completions: Sequence[Any], choices: Sequence[Sequence[str]], **columns: Any
) -> list[float | None]:
    """Rewards an answer that is one of the choices with 1, others with 0."""
    return [float(place is not None) for place in read(completions, choices, columns.get("log_metric"))]


def read(
    completions: Sequence[Any],
    choices: Sequence[Sequence[str]],
    log_metric: Callable[[str, float], None] | None = None,
) -> list[int | None]:
    """Returns the index of the choice that each completion names, or None if it names none.

    Args:
        completions: Texts, or conversations that end with the model's message.
        choices: Labels of each question's choices.
        log_metric: Function with which TRL adds a named number to its log; None if nothing is logged.
    """
    parsed = [
        parse(said(completion), labels) for completion, labels in zip(completions, choices, strict=True)
    ]
    if log_metric is not None and parsed:
        log_metric(LENIENT, sum(found.lenient for found in parsed) / len(parsed))
    return [found.choice for found in parsed]


def answer(completion: Any) -> str:
    """Returns the label that a completion says, for callers that don't know the choices.

    It is the first line after the last "Answer:", or the last line of a text without "Answer:".
    """
    return conclusion(said(completion))
