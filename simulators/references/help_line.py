"""Known answers of the help line."""

from simdistill.simulation import Experiment, KnownCase
from simdistill.simulators.help_line import HelpLine, erlang_c, hourly


def experiment(case: KnownCase) -> Experiment:
    """Returns the experiment of a case of the family call_center_network: from empty, with fixed staff.

    Waits are those of calls that the desk has finished within the run; there is no formula for them.
    """
    return Experiment(
        params=HelpLine.Params.model_validate({"profile": (1.0,), "hours": None, **case.parameters}),
        policy=hourly(erlang_c),
        horizon=float(case.run["horizon_min"]),
    )
