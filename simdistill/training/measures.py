"""Which numbers of a trainer's log are kept in `metrics.jsonl`."""

TERMS = ("imitation", "regret", "validity")
"""Terms of the exact loss."""
APART = ("imitation", "soft", "regret", "agreement")
"""Means over questions that are also logged for decisions alone and for forecasts alone."""
MEASURES = (
    "loss",
    *TERMS,
    "policy",
    "hidden",
    *(f"{name}_gradient" for name in (*TERMS, "policy", "hidden")),
    "hard",
    "soft",
    "agreement",
    "forecasts",
    *(f"decision_{name}" for name in APART),
    *(f"forecast_{name}" for name in APART if name != "regret"),  # no outcome is regretted
    "reward",
    "frac_reward_zero_std",
    "lenient_answers",
    "learning_rate",
    "grad_norm",
)
"""The numbers that are kept.

`policy` is GRPO's own loss, `reward` the mean reward of its samples, and `frac_reward_zero_std` the share of
samples whose group was rewarded alike: at 1, the rewards of a step gave no gradient. `lenient_answers` is the
share of samples that are a choice only if their form is overlooked.
"""
