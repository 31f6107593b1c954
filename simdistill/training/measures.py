"""Names of the numbers of a trainer's log that are kept in `metrics.jsonl`."""

from simdistill import registry

TERMS = ("imitation", "regret", "validity")
"""Terms of the exact loss."""
APART = ("imitation", "soft", "regret", "agreement")
"""Means over all questions that are also logged separately for each kind of question."""
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
    "lenient_answers",
    "learning_rate",
    "grad_norm",
)
"""Numbers that are kept, besides those of `measures_of_kinds`.

`policy` is GRPO's own loss. `reward` is the mean reward of the sampled answers. `frac_reward_zero_std` is the
share of samples whose group got equal rewards; if it is 1, the step's rewards gave no gradient.
`lenient_answers` is the share of sampled answers that count as a choice although they have another form.
"""


def question_kinds() -> dict[str, bool]:
    """Returns, for the name of each installed kind of question, whether it asks for a decision."""
    return {name: registry.load("questions", name).decides for name in registry.names("questions")}


def measures_of_kinds(kinds: dict[str, bool]) -> dict[str, list[str]]:
    """Returns the names of the numbers that are kept separately for each kind of question.

    They are means over the kind's questions, such as `forecast_soft`. A kind that doesn't ask for decisions
    also has its share of all questions, such as `forecasts`, and has no regret.

    Args:
        kinds: Name of each kind -> whether it asks for decisions.
    """
    return {
        kind: [
            *(() if decides else (f"{kind}s",)),
            *(f"{kind}_{name}" for name in APART if decides or name != "regret"),
        ]
        for kind, decides in kinds.items()
    }
