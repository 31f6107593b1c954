"""Mistakes of a student: exact ones add up to its regret, others are what the fit makes of what it met."""

from types import SimpleNamespace

import numpy as np
import pytest

from simdistill import mdp
from simdistill.config import compose
from simdistill.envs.prompts import Prompter
from simdistill.evaluation import exact
from simdistill.evaluation.cases import Case, draw
from simdistill.evaluation.examined import Examined
from simdistill.evaluation.mistakes import SHOWN, mistakes
from simdistill.evaluation.simulated import play_in_step
from simdistill.simulators.queueing import join_shortest_queue, shortest_expected_delay

CONFIG = compose(["task=queueing", "evaluation.parameter_sets=1", "evaluation.replications=2"])[0]
PROMPTER = Prompter(CONFIG.task.language)


@pytest.fixture(scope="module")
def case() -> Case:
    return draw(CONFIG.task, CONFIG.evaluation)[0]


def as_student(case: Case, policy_SC: np.ndarray) -> Case:
    examined = exact.examine(case.solved, policy_SC, shortest_expected_delay)
    return Case("default", 0, case.params, case.chain, case.policies | {"student": examined})


def found(case: Case) -> dict:
    return mistakes(case, SimpleNamespace(), PROMPTER)  # type: ignore[arg-type]


def test_exact_mistakes_add_up_to_the_regret(case):
    own = as_student(case, mdp.tabulate(case.solved, join_shortest_queue))
    told = found(own)
    student, optimum = (own.policies[name].cost for name in ("student", "optimum"))
    assert student is not None and optimum is not None
    assert told["regret"] * case.params.arrival_rate == pytest.approx(student - optimum, rel=1e-6)
    assert len(told["worst"]) == SHOWN < told["states"] and not told["by_fit"]
    shares = [row["share"] for row in told["worst"]]
    assert shares == sorted(shares, reverse=True) and 0.3 < sum(shares) < 1
    for row in told["worst"]:
        assert row["share"] == pytest.approx(row["cost"] * row["frequency"] / told["regret"])
        assert row["student"] != row["best"] and row["cost"] > 0 and "Jobs A" in row["situation"]


def test_a_student_that_decides_as_the_optimum_makes_none(case):
    best_SC = case.policies["optimum"].policy_SC
    assert best_SC is not None and found(as_student(case, best_SC)) == {}


def test_under_a_student_that_lets_queues_grow_the_optimums_states_count(case):
    slow_SC = np.zeros_like(case.policies["optimum"].policy_SC)
    slow_SC[:, 1] = 1.0
    told = found(as_student(case, slow_SC))
    assert told["visited_by"] == "optimum" and told["regret"] > 0


class Fit:
    """Knows states of less than 5 jobs at the first server; the first server costs as many as are there."""

    labels = ("A", "B")

    def knows(self, state) -> bool:
        return state["jobs"][0] < 5

    def costs(self, states) -> np.ndarray:
        return np.array([[state["jobs"][0], 1.0] for state in states])


def test_without_exact_costs_the_fit_judges_what_the_student_met(case):
    simulated = Case("default", 0, case.params, None)
    drawn = Case("in_distribution", 0, case.params, None)
    task = CONFIG.task.model_copy(update={"horizon": 50.0, "warm_up": 0.0})
    settings = CONFIG.evaluation.model_copy(update={"replications": 8})
    cases = [simulated, drawn]
    play_in_step(task, settings, cases, "student", lambda state, choices: "A", lambda done, total: None)
    met = simulated.policies["student"].met.values()
    assert sum(one.count for one in met) > 100 and not drawn.policies["student"].met
    told = mistakes(simulated, Fit(), PROMPTER)  # type: ignore[arg-type]
    known = [one for one in met if one.state["jobs"][0] < 5]
    wrong = [one for one in known if one.state["jobs"][0] > 1]
    total = sum(one.count for one in known)
    assert told["by_fit"] and told["states"] == len(wrong)
    assert told["frequency"] == pytest.approx(sum(one.count for one in wrong) / total)
    assert {(row["student"], row["best"]) for row in told["worst"]} == {("A", "B")}


def test_a_student_that_was_not_noted_has_none(case):
    simulated = Case("default", 0, case.params, None, {"student": Examined(None)})
    assert mistakes(simulated, Fit(), PROMPTER) == {}  # type: ignore[arg-type]
