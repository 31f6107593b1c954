"""Experiments for known cases of the call centre with one skill, which Erlang C and Erlang A solve."""

from simdistill.simulation import Experiment, KnownCase
from simdistill.simulators.call_center import CallCenter, own_first
from simdistill.simulators.references.erlang import Erlang

LEVEL = "service_level_"


def experiment(case: KnownCase) -> Experiment:
    """Returns the experiment for a known case of the family `call_center`: steady state with fixed agents.

    Waits are those of all callers, or of answered callers if the case's conventions say so. A service level
    is the share of all callers who are answered in time.
    """
    given = case.parameters
    line = Erlang(
        given["calls_per_half_hour"] / 1800,
        given["handling_time_s"],
        given["agents"],
        given.get("patience_s"),
    )
    answered = "answered" in str(case.conventions.get("waits", ""))
    # Measure of the case -> name of the measure in the model, and function that calculates it by formula.
    known = {
        "p_wait": ("wait", lambda: line.p_wait),
        "mean_wait_in_queue_s": ("wait_in_queue_s", lambda: line.mean_wait),
        "mean_in_queue": ("in_queue", lambda: line.mean_in_queue),
        "mean_in_system": ("in_system", lambda: line.mean_in_queue + line.agents * line.utilisation),
        "utilisation": ("utilisation", lambda: line.utilisation),
        "occupancy": ("utilisation", lambda: line.utilisation),
        "p_abandon": ("abandon", lambda: line.p_abandon),
        "abandonment": ("abandon", lambda: line.p_abandon),
    }
    if answered:
        known["mean_wait_in_queue_s"] = ("wait_of_answered_s", lambda: line.mean_wait_of_answered)
    within = [
        float(expected["measure"].removeprefix(LEVEL).removesuffix("s"))
        for expected in case.expected
        if expected["measure"].startswith(LEVEL)
    ]
    for seconds in within:
        name = f"{LEVEL}{seconds:g}s"
        known[name] = (name, lambda seconds=seconds: line.service_level(seconds))
    wanted = {e["measure"] for e in case.expected} & known.keys()
    params = {
        "calls": (given["calls_per_half_hour"],),
        "profile": (1.0,),
        "half_hours": None,
        "handling_s": (line.handling,),
        "patience_s": line.patience,
        "agents": (line.agents,),
        "within_s": tuple(within),
    }
    # An M/M/n queue forgets its initial state at the rate (sqrt(n mu) - sqrt(lambda))^2.
    gap = 1 - min(0.98, line.load / line.agents) ** 0.5
    forgotten = max(line.handling, line.patience or line.handling / line.agents / gap**2) / 60
    return Experiment(
        params=CallCenter.Params.model_validate(params),
        policy=own_first,
        measures={name: known[name][0] for name in wanted},
        solved={name: known[name][1] for name in wanted} if line.stable else {},
        warm_up=10 * forgotten,
        horizon=20_000 / line.calls / 60,
        growing={} if line.stable else {"growth_rate": "in_queue"},
        other_start=CallCenter.Params.model_validate({**params, "waiting_at_start": (2 * line.agents,)}),
    )
