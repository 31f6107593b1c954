"""Known cases run: agreement, disagreement, growth, warm-ups, laws, and cases that fail."""

import math

import pytest

from simdistill.simulation import KnownCase
from simdistill.verification import warm_up
from simdistill.verification.experiments import run, run_case
from simdistill.verification.item import Budget, Item
from simdistill.verification.laws import CONSERVATION, LITTLE
from simdistill.verification.simulation import Simulation, windows
from simdistill.verification.verdict import Estimate, Verdict, judge


def estimate(item) -> Estimate:
    simulated = run_case(item)[0].simulated
    assert simulated is not None
    return simulated


def verdicts(item) -> dict[str, Verdict | None]:
    rows = run_case(item)
    judge(rows)
    return {row.quantity: row.verdict for row in rows}


def test_a_correct_simulator_agrees(item):
    laws = {LITTLE: Verdict.AGREES, CONSERVATION: Verdict.AGREES}
    assert verdicts(item(1 / 3)) == {"mean_in_system": Verdict.AGREES, **laws}
    unsolved = item(4 / 3, measure="mean_time_in_system", tolerance=0.06)
    assert verdicts(unsolved) == {"mean_time_in_system": Verdict.AGREES, **laws}


def test_a_wrong_value_disagrees(item):
    unsolved = item(0.4, policy={"name": "unsolved"})
    assert verdicts(unsolved)["mean_in_system"] is Verdict.DISAGREES
    assert verdicts(item(0.35))["mean_in_system"] is Verdict.DISAGREES  # the solver says so


def test_results_are_fixed_and_more_budget_narrows_them(item):
    budgets = [Budget(0, 1, 1), Budget(0, 1, 1), Budget(0, 10**7, 10**7), Budget(10**7, 10**7, 10**7)]
    wide, again, sufficient, precise = (
        estimate(item(4.0, measure="mean_time_in_system", budget=budget)) for budget in budgets
    )
    assert wide == again and wide.replications == 4
    assert 0.04 < sufficient.half_width <= 0.08 < wide.half_width
    assert precise.half_width <= 0.04


def test_measures_by_name_by_function_and_by_component(item):
    assert estimate(item(1 / 3, measure="cost_rate")).mean == pytest.approx(1 / 3, abs=0.03)
    first, second, *_ = run_case(item([1 / 3, 1 / 3], measure="both"))
    assert (first.quantity, second.quantity) == ("both[0]", "both[1]")
    assert first.simulated == second.simulated
    (row, *_) = run_case(item(1.0, measure="happiness"))
    assert row.simulated is None and "the simulator measures arrived, customers, in_system" in row.notes[0]


def test_growth_is_judged_by_its_interval(item):
    named = {"parameters": {"arrival_rate": 1.5}, "run": {"kind": "unstable"}, "measure": "growth_rate"}
    found = verdicts(item(0.5, tolerance=0.05, **named))
    assert found == {"growth_rate": Verdict.AGREES, CONSERVATION: Verdict.AGREES}
    assert verdicts(item(0.7, tolerance=0.05, **named))["growth_rate"] is Verdict.DISAGREES


def test_a_short_warm_up_is_noticed(item):
    named = {"parameters": {"arrival_rate": 0.9}, "run": {"kind": "steady_state", "warm_up": 20.0}}
    rows = run_case(item(9.0, tolerance=0.1, **named))
    judge(rows)
    assert rows[0].verdict is Verdict.INCONCLUSIVE
    assert any("two starting states still differ" in note for note in rows[0].notes)


def test_mser_deletes_more_where_the_beginning_is_far_off(item):
    named = {"parameters": {"initial": 100}, "run": {"kind": "steady_state", "warm_up": 10.0}}
    (row, *_) = run_case(item(1 / 3, **named))
    assert any("MSER-5 lengthened the warm-up" in note for note in row.notes)
    assert row.simulated is not None and row.simulated.mean == pytest.approx(1 / 3, abs=0.04)


def test_windows_meet_the_end_of_the_warm_up(item, counter, case):
    times_E, first = windows(item(1.0), counter.experiment(case(1.0)))
    assert times_E[first] == 100.0 and times_E[-1] == 1100.0 and len(times_E) == 201
    assert (times_E[1:] > times_E[:-1]).all()


def test_what_is_not_random_takes_one_replication(item, parcels):
    (row, *_) = rows = run_case(item(15, measure="makespan", simulator=parcels))
    judge(rows)
    assert row.simulated is not None and row.simulated.replications == 1
    assert [one.verdict for one in rows] == [Verdict.AGREES] * 3
    assert verdicts(item(16, measure="makespan", simulator=parcels))["makespan"] is Verdict.DISAGREES
    assert verdicts(item(1.0, measure="total_cost", simulator=parcels))["total_cost"] is Verdict.AGREES


def test_a_lost_entity_is_found(item):
    found = verdicts(item(1 / 3, parameters={"loses": 1000}))
    assert found[CONSERVATION] is Verdict.DISAGREES and found[LITTLE] is Verdict.AGREES


def test_little_finds_times_that_do_not_fit(item, counter, monkeypatch):
    tally = counter.tally
    monkeypatch.setattr(counter, "tally", lambda self, name, value: tally(self, name, 1.03 * value))
    assert verdicts(item(1 / 3))[LITTLE] is Verdict.DISAGREES


def test_a_simulator_without_entities_learns_what_is_missing(item, counter, monkeypatch):
    monkeypatch.setattr(counter, "tally", lambda self, name, value: None)
    rows = run_case(item(1 / 3))
    assert [row.quantity for row in rows] == ["mean_in_system", LITTLE, CONSERVATION]
    assert "no time_in_system, arrived" in rows[1].notes[0]


def test_a_case_that_fails_fails_alone(item):
    heard = []
    rows = run([item(1 / 3, parameters={"price": 1}), item(1 / 3)], map, heard.append)
    judge(rows)
    assert rows[0].verdict is Verdict.FAILED and rows[0].notes == ["the counter knows no prices"]
    assert rows[1].verdict is Verdict.AGREES and len(heard) == 2


def test_an_error_in_a_simulator_has_its_place(item, counter, monkeypatch):
    monkeypatch.setattr(counter, "experiment", lambda case: 1 / 0)
    (row,) = run_case(item(1 / 3))
    assert row.verdict is Verdict.FAILED and "ZeroDivisionError" in row.notes[0] and __file__ in row.notes[0]
    assert math.isnan(row.value)


def test_replications_have_streams_of_their_own(item):
    one, other = item(1 / 3), item(1 / 3, id="other")
    experiment = one.experiment()
    first, second = (
        Simulation(of, experiment, experiment.policy, *windows(of, experiment)) for of in (one, other)
    )
    assert len({simulation.path(n) for simulation in (first, second) for n in range(3)}) == 6


def test_a_task_stands_in_for_known_answers():
    from simdistill.config import compose
    from simdistill.simulators.queueing import Queueing

    task = compose(["task=queueing"])[0].task
    item = Item(
        "queueing", Queueing, KnownCase("task", "queueing", {}, {}, {}, {}, ()), Budget(0, 1, 1), task
    )
    found = verdicts(item)
    assert set(found) == {LITTLE, CONSERVATION} and Verdict.DISAGREES not in found.values()


def test_mser_is_not_followed_where_the_beginning_is_like_the_rest(item, monkeypatch):
    monkeypatch.setattr(warm_up, "mser5", lambda values: (60, False))
    (row, *_) = run_case(item(1 / 3))
    assert row.notes == []
