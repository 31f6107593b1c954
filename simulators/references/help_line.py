"""Experiments for known cases of the help line."""

from simdistill.simulation import Experiment, KnownCase
from simdistill.simulators.help_line import HelpLine, erlang_c, hourly


def experiment(case: KnownCase) -> Experiment:
    """Returns the experiment for a known case of the family `call_center_network`: fixed staff, empty start.

    Waits are those of calls that the desk has finished within the run; there is no formula for these waits.
    """
    return Experiment(
        params=HelpLine.Params.model_validate({"profile": (1.0,), "hours": None, **case.parameters}),
        policy=hourly(erlang_c),
        horizon=float(case.run["horizon_min"]),
    )
