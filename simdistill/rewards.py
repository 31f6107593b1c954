"""What the simulator says about an answer, as reward functions for any trainer of TRL.

    trl grpo --reward_funcs simdistill.rewards.consistency --scale_rewards none …

They are plain functions of the completions and of a data set's columns, which TRL hands over as lists: a row
of `questions.parquet` has `choices` and `values`. Rewards are looked up; nothing is simulated meanwhile.
A reward is None where it says nothing about a question; TRL then leaves the completion out.
"""

from collections.abc import Callable, Sequence
from typing import Any

PENALTY = 1.0
"""What an answer that is no choice costs beyond the worst choice, in units of the task's scale."""


Reward = Callable[..., list[float | None]]
"""A reward function as TRL calls it: completions and columns of the data set, by keyword -> rewards."""


def consistency(
    completions: Sequence[Any],
    choices: Sequence[Sequence[str]],
    values: Sequence[Sequence[float]],
    scale: Sequence[float] | None = None,
    **columns: Any,
) -> list[float | None]:
    """Rewards an answer with minus the cost that the simulator says it adds, in units of the task's scale.

    Use it with `scale_rewards="none"`: divided by a group's deviation, a choice that hardly matters weighs as
    much as one that ruins the day.

    Args:
        completions: Texts, or conversations that end with the model's message.
        choices: Labels of each question's choices.
        values: Cost of each choice minus the least one, in cost units; empty for a forecast.
        scale: The task's scale, in cost units; 1 if left out.
        columns: Other columns; not used.

    Returns:
        One reward a completion, at most 0; what is no choice gets `PENALTY` less than the worst choice. None
        for a forecast, whose outcomes cost nothing.
    """
    scales = [1.0] * len(completions) if scale is None else scale
    rewards: list[float | None] = []
    for completion, labels, costs, unit in zip(completions, choices, values, scales, strict=True):
        if not costs:
            rewards.append(None)
            continue
        chosen = answer(completion)
        cost = costs[labels.index(chosen)] / unit if chosen in labels else max(costs) / unit + PENALTY
        rewards.append(-cost)
    return rewards


def validity(
    completions: Sequence[Any], choices: Sequence[Sequence[str]], **columns: Any
) -> list[float | None]:
    """Rewards an answer that is one of the choices with 1, others with 0."""
    return [
        float(answer(completion) in labels) for completion, labels in zip(completions, choices, strict=True)
    ]


def answer(completion: Any) -> str:
    """Returns the label that a completion says.

    That is its text; of one that reasons first, what follows the last "Answer:", else the last line.
    """
    text = completion if isinstance(completion, str) else completion[-1]["content"]
    _, marker, said = text.rpartition("Answer:")
    lines = said.strip().splitlines()
    return lines[0 if marker else -1].strip() if lines else ""
