"""Numbers as people read them."""

import pytest

from simdistill.report import formats
from simdistill.statistics import Estimate


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (4.6246, "4.62"), (-0.001, "−0.0010"), (0, "0.00"), (1234.5, "1,234")]
)
def test_number(value, text):
    assert formats.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0872, "8.7%"), (0.0043, "0.43%"), (1.7, "170%"), (-0.00001, "0.00%"), (-0.02, "−2.0%")],
)
def test_percent(value, text):
    assert formats.percent(value) == text


@pytest.mark.parametrize(("value", "text"), [(1, "100%"), (0.99999, "99.99%"), (0.9995, "99.95%")])
def test_share_is_all_only_when_it_is(value, text):
    assert formats.share(value) == text


def test_interval_has_the_digits_of_its_mean():
    assert formats.interval(Estimate(0.006, -0.001, 0.0131), as_percent=True) == "−0.10 to 1.31%"
    assert formats.interval(Estimate(4.6246, 4.6246, 4.6246)) == ""
    assert formats.interval(Estimate(4.6246)) == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.0, "4.0 s"), (41.3, "41 s"), (500, "8 min 20 s"), (119.9, "2 min")]
)
def test_duration(seconds, text):
    assert formats.duration(seconds) == text


def test_parameters():
    values = {"arrival_rate": 2.0, "service_rates": [2.0, 0.5]}
    assert formats.parameters(values) == "arrival rate 2, service rates 2 / 0.5"
