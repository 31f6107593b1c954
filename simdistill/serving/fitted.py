"""Costs of choices, predicted by the regression on the search's values."""

from collections.abc import Sequence

from simdistill.teachers.cost_to_go import Regression, difference_errors


def fitted_costs(regression: Regression, state: dict, choices: Sequence[str]) -> dict[str, dict]:
    """Returns the predicted extra cost of each choice over the best one, with standard errors.

    Costs and standard errors are None for choices that the search never compared, and for states with other
    numbers than the search's states. Standard errors are None if the regression's error isn't known.
    """
    network = regression.network
    known = [choice for choice in choices if choice in network.labels] if network.knows(state) else []
    costs = dict.fromkeys(choices)
    errors = dict.fromkeys(choices)
    if known:
        columns = [network.labels.index(choice) for choice in known]
        cost_1C = network.costs([state])[:, columns]
        costs |= zip(known, (cost_1C - cost_1C.min())[0].tolist(), strict=True)
        if regression.spread is not None:
            constant, share = regression.spread
            error_1C = difference_errors(constant + share * cost_1C**2, cost_1C.argmin(axis=1))
            errors |= zip(known, error_1C[0].tolist(), strict=True)
    return {"costs": costs, "standard_errors": errors}
