"""What each choice of a decision costs: the same simulated futures for all of them.

A job arrives at two servers of rates 2.0 and 0.5. Server A has four jobs, server B has none. From then on a
rule decides; the mean difference to the rule's own choice comes with its standard error.
"""

from simdistill.simulation.branching import what_if
from simdistill.simulation.situations import Episode
from simdistill.simulators.queueing import Queueing, shortest_expected_delay

if __name__ == "__main__":
    params = {"arrival_rate": 2.0, "service_rates": (2.0, 0.5), "initial_jobs": (4, 0)}
    situation = Episode(Queueing(params, world=(1,))).advance()
    print(
        "state:",
        situation.state["jobs"],
        "rule:",
        shortest_expected_delay(situation.state, situation.choices),
    )
    for futures in (20, 200):
        values = what_if(Queueing, situation, shortest_expected_delay, futures, horizon=60.0)
        for choice, mean, error in zip(
            situation.choices, values.mean_C, values.standard_error_C, strict=True
        ):
            print(f"{futures:3} futures, {choice}: {mean:+.2f} ± {error:.2f}")
    print(f"branches that became equal: {values.coupled_CK.mean():.0%}")
