"""Costs by the search's fit, with the standard errors that training's labels have."""

import math

import numpy as np
import pytest

from simdistill.serving.fitted import fitted_costs
from simdistill.teachers.cost_to_go import Regression, weigh_by_precision
from simdistill.teachers.value_network import FittedPolicy

STATE = {"jobs": 4}


def regression(*costs: float, spread: tuple[float, float] | None = (0.25, 0.5)) -> Regression:
    """A fit that gives the choices A, B, … these costs in any state with one number."""
    layer = (np.zeros((1, 3, len(costs))), np.array([[costs]]))
    labels = tuple("ABC"[: len(costs)])
    return Regression(FittedPolicy(labels, np.zeros(3), np.ones(3), [layer], scale=1.0), None, spread)


def test_errors_of_three_choices_are_those_of_trainings_labels():
    fit_1C = np.array([[-1.0, 0.0, 1.0]])
    found = fitted_costs(regression(*fit_1C[0]), STATE, ["A", "B", "C"])
    # Simulated values of hardly any precision leave the fit and its error.
    labels = weigh_by_precision(("A", "B", "C"), fit_1C, np.full((1, 3), 1e12), fit_1C, (0.25, 0.5))
    assert list(found["costs"].values()) == pytest.approx(labels.costs_SC[0])
    assert list(found["standard_errors"].values()) == pytest.approx(labels.errors_SC[0], rel=1e-6)
    # Variances are 0.75, 0.25 and 0.75; any two of three centred errors correlate by -1/2.
    assert found["standard_errors"]["B"] == pytest.approx(math.sqrt(1.0 + math.sqrt(0.75 * 0.25)))
    assert found["standard_errors"]["C"] == pytest.approx(math.sqrt(2.25))


def test_errors_of_two_choices_are_opposite_and_add_up():
    found = fitted_costs(regression(-1.0, 1.0), STATE, ["A", "B"])
    assert found["costs"] == {"A": 0.0, "B": 2.0}
    assert found["standard_errors"] == {"A": 0.0, "B": pytest.approx(2 * math.sqrt(0.75))}


def test_what_the_search_never_compared_is_null():
    known = regression(0.0, 1.0)
    unknown = {"A": None, "B": None}
    assert fitted_costs(known, {"jobs": [4, 2]}, ["A", "B"]) == {"costs": unknown, "standard_errors": unknown}
    found = fitted_costs(known, STATE, ["B", "C"])
    assert found == {"costs": {"B": 0.0, "C": None}, "standard_errors": {"B": 0.0, "C": None}}
    assert fitted_costs(known, STATE, ["C"]) == {"costs": {"C": None}, "standard_errors": {"C": None}}


def test_errors_are_null_where_the_fits_error_is_not_known():
    found = fitted_costs(regression(0.0, 1.0, spread=None), STATE, ["A", "B"])
    assert found == {"costs": {"A": 0.0, "B": 1.0}, "standard_errors": {"A": None, "B": None}}
