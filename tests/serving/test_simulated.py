"""The simulator's answers for observed states, and where it has none."""

from functools import partial

import numpy as np
import pytest

from simdistill import mdp, registry
from simdistill.config import compose
from simdistill.serving.simulated import Simulator, Unknown

STATE = {"arrival_rate": 2.0, "service_rates": [2.0, 0.5], "jobs": [3, 1]}


def simulator(task, **changes):
    config = compose([f"task={task}"])[0].task.model_copy(update=changes)
    return Simulator(config, registry.policies(config.simulator)[config.heuristic], 20.0, 0)


def test_episodes_begun_in_a_state_cost_what_the_solution_of_their_policy_says():
    ask = simulator("queueing")
    chain = ask.process.markov(ask.process.parse(ask.task.parameters.default), 60)
    evaluation = mdp.evaluate(chain, mdp.tabulate(chain, ask.policy))
    solved_C = mdp.choice_values(chain, evaluation)[chain.states.index(STATE)]
    simulated = ask._simulated(STATE, ["A", "B"], 1024)
    assert simulated["begun"] == {"initial_jobs": [3, 1]} and simulated["futures"] == 1024
    found_C = np.array(list(simulated["costs"].values()))
    error = max(simulated["standard_errors"].values())
    assert 0.1 < error < 0.3
    assert abs((found_C - solved_C)[1] - (found_C - solved_C)[0]) < 4 * error


def test_the_same_question_has_the_same_answer():
    first, second = (simulator("queueing")._simulated(STATE, ["A", "B"], 8) for _ in range(2))
    assert first == second


def test_choices_are_compared_alone():
    ask = simulator("queueing")
    assert list(ask.costs(STATE, ["B"], 8)["costs"].items()) == [("B", 0.0)]


def test_growing_queues_are_simulated_with_the_reason():
    state = STATE | {"arrival_rate": 3.0}
    found = simulator("queueing").costs(state, ["A", "B"], 8)
    assert found["source"] == "simulated" and "queues grow" in found["why_not_exact"]


@pytest.mark.parametrize("task", ["emergency_department", "job_shop"])
def test_a_state_that_no_episode_can_begin_in_has_no_answer(task):
    ask = simulator(task)
    model = ask.process(ask.process.parse(ask.task.parameters.default), (0,))
    for _ in range(3):
        decision = model.advance()
        assert decision is not None
        state, labels = model.state(decision), list(decision.labels)
        model.answer(labels[0])
    for asked in (partial(ask.costs, state, labels, 8), partial(ask.forecasts, state, 8)):
        with pytest.raises(Unknown, match="can't be begun in this state"):
            asked()
