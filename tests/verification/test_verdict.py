"""Statistics of verification: intervals, MSER-5, Holm, and what makes a verdict."""

import math

import numpy as np
import pytest

from simdistill.verification.verdict import Estimate, Row, Verdict, judge, mser5, of_means, of_ratio


def row(value=10.0, mean=None, error=0.0, replications=20, **named) -> Row:
    simulated = None if mean is None else Estimate(mean, error, replications)
    fields = {"quantity": "cost", "tolerance": 0.0, "source": "exact formula"} | named
    return Row("simulator", "case", value=value, simulated=simulated, **fields)


def test_the_mean_and_its_interval():
    estimate = of_means(np.array([1.0, 2.0, 3.0, 4.0]))
    assert (estimate.mean, estimate.replications) == (2.5, 4)
    assert estimate.half_width == pytest.approx(3.182446 * math.sqrt(5 / 3) / 2, rel=1e-6)
    assert of_means(np.array([7.0])).half_width == 0.0
    assert math.isnan(of_means(np.array([])).mean)


def test_a_ratio_of_means_is_not_the_mean_of_ratios():
    random = np.random.default_rng(0)
    weights = random.poisson(3, size=4000) + 1.0
    estimate = of_ratio(2.0 * weights**2, weights)
    assert estimate.mean == pytest.approx(2 * (3 + 16) / 4, abs=3 * estimate.error)
    assert abs((2.0 * weights).mean() - estimate.mean) > 10 * estimate.error
    assert math.isnan(of_ratio(np.zeros(3), np.zeros(3)).mean)


def test_mser_deletes_the_transient():
    random = np.random.default_rng(1)
    values = random.normal(size=400) + 20 * np.exp(-np.arange(400) / 20)
    deleted, limit = mser5(values)
    assert 40 <= deleted <= 120 and not limit
    assert mser5(random.normal(size=400))[0] <= 40
    assert mser5(np.arange(400.0)) == (200, True)
    assert mser5(np.arange(10.0)) == (0, False)


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (row(mean=10.05, error=0.05), Verdict.AGREES),
        (row(mean=10.5, error=0.05), Verdict.DISAGREES),
        (row(mean=10.5, error=0.05, tolerance=0.4), Verdict.AGREES),
        (row(mean=10.1, error=0.15), Verdict.INCONCLUSIVE),
        (row(mean=10.1, error=0.15, solved=10.0), Verdict.AGREES),
        (row(mean=10.1, error=0.4, solved=10.0), Verdict.INCONCLUSIVE),
        (row(mean=10.0, error=0.01, solved=10.2), Verdict.DISAGREES),
        (row(solved=10.0), Verdict.AGREES),
        (row(), Verdict.INCONCLUSIVE),
        (row(mean=10.0), Verdict.AGREES),
        (row(mean=10.0001), Verdict.DISAGREES),
        (row(mean=math.nan, error=math.nan), Verdict.INCONCLUSIVE),
        (row(mean=10.05, error=0.05, sound=False), Verdict.INCONCLUSIVE),
        (row(value=0.3, mean=0.1, error=0.2, tolerance=0.5, growing=True), Verdict.INCONCLUSIVE),
        (row(value=0.3, mean=0.31, error=0.01, tolerance=0.03, growing=True), Verdict.AGREES),
    ],
)
def test_verdicts(given, verdict):
    judge([given])
    assert given.verdict is verdict


def test_a_long_table_asks_for_more_evidence():
    suspicious = row(mean=10.16, error=0.05)
    judge([suspicious])
    assert suspicious.verdict is Verdict.DISAGREES
    rows = [row(mean=10.16, error=0.05), *(row(mean=10.0, error=0.05) for _ in range(99))]
    judge(rows)
    assert all(one.verdict is Verdict.AGREES for one in rows)


def test_a_published_figure_beside_an_exact_one_only_differs():
    rows = [
        row(value=10.0, mean=10.0, error=0.01),
        row(value=11.0, mean=10.0, error=0.01, source="published", exact_beside=True),
    ]
    judge(rows)
    assert [one.verdict for one in rows] == [Verdict.AGREES, Verdict.DIFFERS]
    rows[0].verdict = rows[1].verdict = None
    rows[0].value = 12.0
    judge(rows)
    assert [one.verdict for one in rows] == [Verdict.DISAGREES, Verdict.DISAGREES]


def test_rows_are_json():
    assert row(mean=math.nan, value=math.nan).as_dict()["simulated"]["mean"] is None
    assert row(mean=1.0, error=0.5).as_dict()["simulated"]["ci95"][0] < 0.5
