"""Which numbers of a trainer's log are kept in `metrics.jsonl`."""

from simdistill import registry

TERMS = ("imitation", "regret", "validity")
"""Terms of the exact loss."""
APART = ("imitation", "soft", "regret", "agreement")
"""Means over questions that are also logged for each kind of question alone."""
MEASURES = (
    "loss",
    *TERMS,
    "policy",
    "hidden",
    *(f"{name}_gradient" for name in (*TERMS, "policy", "hidden")),
    "hard",
    "soft",
    "agreement",
    "reward",
    "frac_reward_zero_std",
    "learning_rate",
    "grad_norm",
)
"""The numbers that are kept, beside those of each kind of question.

`policy` is GRPO's own loss, `reward` the mean reward of its samples, and `frac_reward_zero_std` the share of
samples whose group was rewarded alike: at 1, the rewards of a step gave no gradient.
"""


def question_kinds() -> dict[str, bool]:
    """Returns the installed kinds of questions, and whether each decides."""
    return {name: registry.load("questions", name).decides for name in registry.names("questions")}


def measures_of_kinds(kinds: dict[str, bool]) -> dict[str, list[str]]:
    """Returns the numbers that are kept for each kind of question alone.

    These are means over its questions and, of a kind that decides nothing, its share of all questions: as
    `forecast_soft` and `forecasts`. Where nothing is decided, nothing is regretted.
    """
    return {
        kind: [
            *(() if decides else (f"{kind}s",)),
            *(f"{kind}_{name}" for name in APART if decides or name != "regret"),
        ]
        for kind, decides in kinds.items()
    }
