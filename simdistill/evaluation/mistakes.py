"""The decisions that the student gets wrong with the default parameters, and what they cost.

Where costs are exact, the student's regret is divided among states without a rest: per decision it is the
sum, over states, of how often the state occurs under the student times what the student's choice there costs
beyond the best one if the optimum decides from then on (the performance difference lemma: Kakade and
Langford, Approximately optimal approximate reinforcement learning, ICML 2002). Elsewhere occurrences are
those of the simulated replications, and costs those of the teacher's fit.
Axes: S states, C choices.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simdistill import mdp
from simdistill.envs.prompts import Prompter
from simdistill.evaluation.cases import OPTIMUM, Case
from simdistill.evaluation.exhibits import plain
from simdistill.simulation.states import State
from simdistill.teachers.value_network import FittedPolicy

SHOWN = 10
"""Number of states that are shown, those with the largest share of the regret."""
NOTHING = 1e-9
"""A choice that costs less than this, relative to the dearest one, isn't wrong: rounding made it so."""


@dataclass(frozen=True)
class Judged:
    """The student's choices in the states in which it decides.

    Attributes:
        states: The states (S).
        student: The student's choice in each state (S).
        best: The choice of least cost in each state (S).
        cost_S: Cost of the student's choice beyond the best one's.
        frequency_S: Share of the decisions that are made in each state.
        visited_by: Name of the policy whose decisions are counted.
        by_fit: Whether costs are those of the teacher's fit; else they are exact.
    """

    states: Sequence[State]
    student: Sequence[str]
    best: Sequence[str]
    cost_S: np.ndarray
    frequency_S: np.ndarray
    visited_by: str
    by_fit: bool


def mistakes(case: Case, network: FittedPolicy, prompter: Prompter) -> dict[str, Any]:
    """Returns the worst mistakes, their share of the regret, and how many there are; empty if there are none.

    Args:
        case: The default parameters, with which student and reference were examined.
        network: The teacher's fit, which judges choices where costs aren't exact.
        prompter: Puts states into words.
    """
    judged = _fitted(case, network) if case.chain is None else _exact(case)
    if judged is None:
        return {}
    regret_S = judged.frequency_S * judged.cost_S
    wrong = np.flatnonzero(judged.cost_S > NOTHING * judged.cost_S.max(initial=0.0))
    order = wrong[np.argsort(-regret_S[wrong], kind="stable")][:SHOWN].tolist()
    if not order or regret_S[order[0]] <= 0:
        return {}
    return {
        "parameters": plain(case.params),
        "visited_by": judged.visited_by,
        "by_fit": judged.by_fit,
        "states": len(wrong),
        "frequency": float(judged.frequency_S[wrong].sum()),
        "regret": float(regret_S.sum()),
        "worst": [
            {
                "situation": prompter.situation(dict(judged.states[place])),
                "student": judged.student[place],
                "best": judged.best[place],
                "cost": float(judged.cost_S[place]),
                "frequency": float(judged.frequency_S[place]),
                "share": float(regret_S[place] / regret_S.sum()),
            }
            for place in order
        ],
    }


def _exact(case: Case) -> Judged:
    """Judges the student's choices by the optimum's exact values.

    Under a student that lets queues grow no state occurs again and again; then the optimum's visits count.
    """
    process, optimum, student = case.solved, case.policies[OPTIMUM], case.policies["student"]
    assert optimum.policy_SC is not None and student.policy_SC is not None
    values_SC = mdp.choice_values(process, mdp.evaluate(process, optimum.policy_SC))
    visited_by = OPTIMUM if student.cost is None else "student"
    visits_S = case.stationary(visited_by) * (mdp.legal(process).sum(axis=1) > 1)
    labels = np.array(process.labels)
    # An illegal choice costs infinitely much, and has no probability.
    cost_S = (student.policy_SC * np.where(student.policy_SC > 0, values_SC, 0.0)).sum(axis=1)
    # Policy iteration may leave a worse choice in states that hardly ever occur; there nobody is wrong.
    cost_S[(student.policy_SC == optimum.policy_SC).all(axis=1)] = 0.0
    return Judged(
        process.states,
        labels[student.policy_SC.argmax(axis=1)].tolist(),
        labels[values_SC.argmin(axis=1)].tolist(),
        cost_S,
        visits_S / visits_S.sum(),
        visited_by,
        by_fit=False,
    )


def _fitted(case: Case, network: FittedPolicy) -> Judged | None:
    """Judges the student's choices in its replications by the teacher's fit, in the states that it knows."""
    met = [
        one
        for one in case.policies["student"].met.values()
        if len(one.choices) > 1 and set(one.choices) <= set(network.labels) and network.knows(one.state)
    ]
    if not met:
        return None
    costs_SC = network.costs([one.state for one in met])
    found = [dict(zip(network.labels, costs_C, strict=True)) for costs_C in costs_SC.tolist()]
    best = [min(one.choices, key=costs.__getitem__) for one, costs in zip(met, found, strict=True)]
    student = [one.label for one in met]
    count_S = np.array([one.count for one in met], dtype=float)
    return Judged(
        [one.state for one in met],
        student,
        best,
        _differences(found, student, best),
        count_S / count_S.sum(),
        "student",
        by_fit=True,
    )


def _differences(found: Sequence[Mapping[str, float]], own: Sequence[str], best: Sequence[str]) -> np.ndarray:
    """Returns the cost of one choice beyond that of another in each state (S)."""
    return np.array([costs[one] - costs[other] for costs, one, other in zip(found, own, best, strict=True)])
