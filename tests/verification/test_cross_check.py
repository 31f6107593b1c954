"""The cross-check with Ciw: which cases Ciw can express, and that it reproduces known answers."""

import sys

import pytest

from simdistill.errors import InputError
from simdistill.simulation import KnownCase
from simdistill.verification import cross_check as ciw
from simdistill.verification.cases import packaged
from simdistill.verification.item import Budget, Item
from simdistill.verification.verdict import Estimate, Row, Verdict, judge

CASES = {case.id: case for case in packaged()}


def test_which_cases_ciw_can_express():
    expressed = [case for case in CASES.values() if ciw.network_of(case)]
    assert {case.family for case in expressed} == set(ciw.FAMILIES)
    assert len(expressed) == 24
    assert not any(case.policy.get("name") in ("optimal", "maxweight") for case in expressed)


@pytest.mark.parametrize(
    ("name", "quantity"),
    [
        ("mmck-2.5-3-6", "p_blocked"),
        ("mmck-2.5-3-6", "mean_in_system"),
        ("mmc-0.5-1-1", "p_wait"),
        ("mg1-deterministic", "mean_wait_in_queue"),
        ("two-class-[0.3, 0.4]-[1, 1]-class_1_first", "mean_wait_in_queue_class_1"),
        ("two-class-cost-[0.3, 0.4]-c_mu", "cost_rate"),
        ("criss-cross-IM-class_3_first", "mean_in_system"),
        ("routing-2.0-[2, 0.5]-jsq", "mean_in_system"),
    ],
)
def test_ciw_reproduces_known_answers(monkeypatch, name, quantity):
    monkeypatch.setattr(ciw, "CUSTOMERS", 1_000)
    monkeypatch.setattr(ciw, "REPLICATIONS", 3)
    network = ciw.network_of(CASES[name])
    assert network is not None
    found = [ciw.MEASURES[quantity](network, run) for run in ciw._runs(network, 50.0, name)]
    (value,) = (e["value"] for e in CASES[name].expected if e["measure"] == quantity)
    assert sum(found) / 3 == pytest.approx(value, rel=0.3)


@pytest.mark.parametrize(("ours", "verdict"), [(0.5, Verdict.AGREES), (0.7, Verdict.DISAGREES)])
def test_intervals_are_compared(monkeypatch, ours, verdict):
    from simdistill.simulators.shared_queue import SharedQueue

    monkeypatch.setattr(ciw, "CUSTOMERS", 1_000)
    monkeypatch.setattr(ciw, "REPLICATIONS", 5)
    case = CASES["mmc-0.5-1-1"]
    item = Item("shared_queue", SharedQueue, case, Budget(0, 1, 1))
    known = Row("shared_queue", case.id, "p_wait", 0.5, 0.0, "exact", simulated=Estimate(ours, 0.001, 10))
    (row,) = rows = ciw.cross_check((item, [known]))
    judge(rows)
    assert (row.quantity, row.value, row.source, row.verdict) == ("p_wait", ours, ciw.SOURCE, verdict)


def test_a_case_that_ciw_does_not_know_is_not_cross_checked(item):
    assert ciw.cross_check((item(1.0), [])) == []
    unknown = KnownCase("x", "mg1", {"service": {"name": "weibull"}}, {}, {}, {"kind": "steady_state"}, ())
    assert ciw.network_of(unknown) is None


def test_without_ciw_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ciw", None)
    with pytest.raises(InputError, match=r"pip install 'simdistill\[ciw\]'"):
        ciw.require_ciw()
