"""How far rules are from the best: exact average costs of two servers and one stream of jobs."""

from functools import partial

from simdistill.mdp import evaluate, optimum, tabulate
from simdistill.simulators.queueing import Queueing, join_shortest_queue, shortest_expected_delay

if __name__ == "__main__":
    process = Queueing.markov({"arrival_rate": 2.0, "service_rates": (2.0, 0.5)}, 40)
    table = partial(tabulate, process)
    for rule in (join_shortest_queue, shortest_expected_delay):
        print(f"{rule.__name__:25} {evaluate(process, table(rule)).cost:.3f} jobs in the system")
    policy_SC, best = optimum(process, table(shortest_expected_delay))
    print(f"{'optimum':25} {best.cost:.3f} jobs in the system")
    print("\nThe optimum sends to B (rows: jobs at A from 0, columns: jobs at B from 0):")
    to_b = {tuple(state["jobs"]): bool(row[1]) for state, row in zip(process.states, policy_SC, strict=True)}
    for at_a in range(8):
        print("".join("B" if to_b[at_a, at_b] else "." for at_b in range(4)))
