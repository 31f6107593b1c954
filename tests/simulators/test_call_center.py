"""The call centre against Erlang's formulas, its routing, and its best known roster."""

import json
import math
from importlib.resources import files

import numpy as np
import pytest

import simdistill  # noqa: F401 (makes the simulators known to Gymnasium)
from simdistill.config import compose
from simdistill.envs.prompts import Prompter
from simdistill.errors import InputError
from simdistill.simulation import TEST, KnownCase
from simdistill.simulation.branching import what_if
from simdistill.simulation.policies import RandomPolicy
from simdistill.simulation.rollout import replicate, run_policy
from simdistill.simulation.situations import Episode
from simdistill.simulation.streams import Streams
from simdistill.simulators.call_center import CallCenter, nearest, own_first, own_only
from simdistill.simulators.references.erlang import Erlang, agents_for_service, agents_of_least_cost
from simdistill.simulators.references.rosters import best_known
from simdistill.statistics import mean_estimate

ANSWERS = json.loads(files("simdistill.simulators.known_answers").joinpath("services.json").read_text())
ERLANG_C = [case for case in ANSWERS if case["family"] == "call_center"]


def known(parameters, measures, policy=None, conventions=None) -> KnownCase:
    expected = tuple({"measure": measure} for measure in measures)
    return KnownCase("case", "call_center", parameters, policy or {}, conventions or {}, {}, expected)


@pytest.mark.parametrize("case", ERLANG_C, ids=[case["id"] for case in ERLANG_C])
def test_formulas_agree_with_known_answers(case):
    measures = [expected["measure"] for expected in case["expected"]]
    experiment = CallCenter.experiment(known(case["parameters"], measures))
    for expected in case["expected"]:
        found = experiment.solved[expected["measure"]]()
        assert found == pytest.approx(expected["value"], abs=expected["tolerance"])


@pytest.mark.parametrize("patience", [None, 90.0])
def test_simulation_agrees_with_the_formulas(patience):
    measures = ["p_wait", "mean_wait_in_queue_s", "service_level_20s", "utilisation", "mean_in_queue"]
    measures += ["mean_in_system"] + (["p_abandon"] if patience else [])
    parameters = {"calls_per_half_hour": 60, "handling_time_s": 180, "agents": 8, "patience_s": patience}
    experiment = CallCenter.experiment(known(parameters, measures))
    assert experiment.policy is not None
    runs = [
        replicate(
            CallCenter, experiment.params, experiment.policy, (0, TEST, n), experiment.warm_up, 3000.0
        ).measures
        for n in range(8)
    ]
    for measure in measures:
        simulated = mean_estimate([run[str(experiment.measures[measure])] for run in runs])
        exact = experiment.solved[measure]()
        assert simulated.low < exact < simulated.high, measure
        assert simulated.high - simulated.low < 0.6 * exact + 0.02, measure


def test_erlang_a_by_its_equations():
    line = Erlang(0.05, 180.0, 8, 90.0)
    # Those who arrive are served or hang up; patience so long that nobody hangs up is Erlang C.
    assert line.service_level(1e6) == pytest.approx(1 - line.p_abandon)
    patient = Erlang(0.05, 180.0, 12, 1e8)
    for name in ("p_wait", "mean_wait", "mean_wait_of_answered", "utilisation"):
        assert getattr(patient, name) == pytest.approx(getattr(Erlang(0.05, 180.0, 12), name), rel=1e-4)
    assert patient.service_level(20) == pytest.approx(Erlang(0.05, 180.0, 12).service_level(20), abs=1e-5)
    # One agent who serves at the rate at which callers lose patience: with j callers ahead in the queue, the
    # caller is the first of j + 2 equal clocks to be up in all but one case.
    one = Erlang(1.0, 1.0, 1, 1.0)
    probabilities = np.exp(-1) / np.array([math.factorial(n) for n in range(20)])  # an M/M/infinity queue
    np.testing.assert_allclose(one.probabilities_N[:20], probabilities)
    ahead = np.arange(19)
    answered = probabilities[0] + probabilities[1:] @ (1 / (ahead + 2))
    assert one.p_abandon == pytest.approx(1 - answered)


def test_too_few_agents():
    line = Erlang(0.2, 240.0, 40)
    assert (line.p_wait, line.mean_wait, line.service_level(20), line.utilisation) == (
        1.0,
        math.inf,
        0.0,
        1.0,
    )
    experiment = CallCenter.experiment(
        known({"calls_per_half_hour": 360, "handling_time_s": 240, "agents": 40}, ["growth_rate"])
    )
    assert experiment.growing == {"growth_rate": "in_queue"} and not experiment.solved


def test_waits_of_answered_callers_where_the_case_says_so():
    parameters = {"calls_per_half_hour": 360, "handling_time_s": 240, "agents": 46, "patience_s": 120}
    case = known(parameters, ["mean_wait_in_queue_s"], conventions={"waits": "of answered callers"})
    experiment = CallCenter.experiment(case)
    assert experiment.measures == {"mean_wait_in_queue_s": "wait_of_answered_s"}
    line = Erlang(0.2, 240.0, 46, 120.0)
    assert experiment.solved["mean_wait_in_queue_s"]() == line.mean_wait_of_answered < line.mean_wait


def test_staffing_formulas():
    agents = agents_for_service(12.0, 4.0, 0.8, 1 / 3)
    assert (
        Erlang(12.0, 4.0, agents).service_level(1 / 3)
        >= 0.8
        > Erlang(12.0, 4.0, agents - 1).service_level(1 / 3)
    )

    def cost(agents):
        line = Erlang(0.4, 4.0, agents, 3.0)
        return agents / 3 + line.mean_in_queue + 6 * 0.4 * line.p_abandon

    assert agents_of_least_cost(0.4, 4.0, 3.0, 1 / 3, 1.0, 6.0) == min(range(1, 12), key=cost)
    assert agents_of_least_cost(0.0, 4.0, None, 1.0, 1.0, 1.0) == agents_for_service(0.0, 4.0, 0.8, 1.0) == 1


STAFFING = {
    "staffing": 1,
    "skill": 1,
    "calls": [12.0, 8.0],
    "handling_s": [240.0, 300.0],
    "patience_s": 180.0,
    "absence": 0.0,
    "staff_cost": 10.0,
    "waiting_cost": 1.0,
    "abandonment_cost": 6.0,
}


def test_the_authors_policies_staff():
    choices = [str(n) for n in range(1, 8)]
    load = 8 / 30 * 5
    assert CallCenter.policies["square_root"](STAFFING, choices) == str(math.ceil(load + load**0.5))
    assert Erlang(8 / 30, 5.0, 3).service_level(1 / 3) > 0.8 > Erlang(8 / 30, 5.0, 2).service_level(1 / 3)
    assert CallCenter.policies["erlang_c"](STAFFING, choices) == "3"
    least = agents_of_least_cost(8 / 30, 5.0, 3.0, 10 / 30, 1.0, 6.0)
    assert CallCenter.policies["erlang_a"](STAFFING, choices) == str(least)
    absent = {**STAFFING, "absence": 0.4}
    assert CallCenter.policies["erlang_c"](absent, choices) == "5"
    assert nearest(9.5, choices) == "7" and nearest(0.2, choices) == "1"


def test_the_authors_policies_route():
    assert (own_first({}, ["B", "0"]), own_only({}, ["B", "0"])) == ("B", "0")
    assert (own_first({}, ["A", "B"]), own_only({}, ["A", "B"])) == ("A", "A")


def questions(params, answer, until=1e4):
    model = CallCenter(params, (3, TEST, 0))
    met = []
    while (decision := model.advance(until)) is not None:
        state = model.state(decision)
        met.append((model.env.now, decision.question, tuple(decision.labels), state))
        model.answer(answer(state, decision.labels))
    return model, met


def test_each_half_hour_each_team_is_staffed_and_then_it_closes():
    model, met = questions({"half_hours": 3}, CallCenter.policies["erlang_c"])
    staffed = [(now, state["skill"]) for now, _, _, state in met if state["staffing"]]
    assert staffed == [(30.0 * h, skill) for h in range(3) for skill in (0, 1)]
    assert model.ended and model.env.now >= 90.0
    assert not any(model.waiting) and not any(model.busy)
    totals = model.totals()
    assert totals["arrived"][0] == totals["time_in_system"][1] > 30
    assert totals["in_system"][0] == pytest.approx(totals["time_in_system"][0])  # Little's law
    paid = totals["staff"][0]
    _, dearer = questions({"half_hours": 3}, lambda state, labels: labels[-1])
    assert paid < 3 * 2 * 7 * 10 and len(dearer) >= 6


def test_a_free_agent_is_asked_only_where_there_is_a_choice():
    _, met = questions({"calls": (20.0, 20.0)}, CallCenter.policies["erlang_a_apart"])
    routed = [(labels, state) for _, _, labels, state in met if not state["staffing"]]
    assert {labels for labels, _ in routed} == {("A", "0"), ("B", "0"), ("A", "B"), ("B", "A")}
    for labels, state in routed:
        team = state["skill"]
        assert state["free"][team] > 0 and state["waiting"][1 - team] > 0
        assert ("0" in labels) == (state["waiting"][team] == 0)


def test_who_stays_free_is_asked_again_after_a_change():
    _, met = questions({"calls": (20.0, 20.0)}, CallCenter.policies["erlang_a_apart"])
    asked = [(now, str(state)) for now, _, _, state in met if not state["staffing"]]
    assert len(asked) == len(set(asked)) > 20


def test_absent_agents_are_the_same_under_any_roster():
    few, many = CallCenter({"absence": 0.4}, (1, 2)), CallCenter({"absence": 0.4}, (1, 2))
    few.rostered, many.rostered = [4, 4], [7, 7]
    for skill in (0, 1):
        assert few.present(skill) == {agent for agent in many.present(skill) if agent < 4}
        assert 0 in few.present(skill)


def test_an_agent_more_costs_its_wage_if_nobody_waits():
    params = CallCenter.parse({"calls": (1.0, 1.0), "half_hours": 2})
    situation = Episode(CallCenter(params, (0, TEST, 5))).advance()
    assert situation is not None
    values = what_if(CallCenter, situation, CallCenter.policies["erlang_c"], futures=6, horizon=60.0)
    assert values.coupled_CK.all()
    assert np.diff(values.mean_C)[3:] == pytest.approx(10.0)


def test_the_best_known_roster_saves_against_erlang_c():
    params = CallCenter.parse({"half_hours": 2, "calls": (12.0, 8.0), "profile": (1.0, 1.3)})

    def slot(state):
        return (state["half_hour"] - 1, state["skill"]) if state["staffing"] else None

    found = best_known(CallCenter, params, CallCenter.policies["erlang_c"], slot, replications=12)
    assert found.saving.low > 0
    assert set(found.roster.staff) == {(half_hour, skill) for half_hour in (0, 1) for skill in (0, 1)}
    again = [
        replicate(CallCenter, params, found.roster, (9, TEST, n), 0.0, 1e4, True).cost for n in range(20)
    ]
    assert mean_estimate(again).high > found.cost.low


def test_random_and_illegal_answers_lose_no_call():
    for policy in (RandomPolicy(Streams((1,))), lambda state, labels: "many"):
        model = CallCenter({"absence": 0.2, "waiting_at_start": (3, 2)}, (5, TEST))
        decisions = run_policy(model, policy, 1e4)
        totals = model.totals()
        assert totals["arrived"][0] + 5 == totals["time_in_system"][1]
        assert model.illegal_answers in (0, decisions)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"calls": (-1.0, 2.0)}, r"CallCenter.calls.0 = -1.0: Input should be greater than 0"),
        ({"handling_s": (240.0,)}, "handling_s has 1 numbers for 2 skills"),
        ({"agents": (3, 3, 3)}, "agents has 3 numbers for 2 skills"),
        ({"profile": (0.0, 0.0)}, r"profile must have a positive number, got \(0.0, 0.0\)"),
        ({"absence": 1.0}, "CallCenter.absence = 1.0: Input should be less than or equal to 0.5"),
    ],
)
def test_a_wrong_parameter_is_named(parameters, message):
    with pytest.raises(InputError, match=message):
        CallCenter.parse(parameters)


def test_the_task_composes_and_tells_both_kinds_of_question():
    task = compose(["task=call_center"])[0].task
    _, met = questions(task.parameters.default, CallCenter.policies["erlang_a"])
    language = Prompter(task.language)
    told = {state["staffing"]: language.situation(state) for *_, state in met}
    assert told[1].startswith(
        "Agents for B in half hour 8 of 8? Work for 1.3.\nCalls 12.0, 8.0; seconds 240, 300; patience 180"
    )
    assert told[0].startswith("Call for a free agent of ")
