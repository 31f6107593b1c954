"""Steady state of one queue of callers: Erlang C, and Erlang A if callers hang up.

Sources: Erlang C as in Gans, Koole, Mandelbaum, Telephone Call Centers (M&SOM 5, 2003), section 4.1; Erlang A
(M/M/n+M) as in Palm (1957) and Mandelbaum, Zeltyn, Service Engineering in Action (2007). The wait V that is
offered to a caller with `j` callers ahead is a sum of exponentials with rates n mu + i theta (i = 0 … j). So
exp(-theta V) has a beta distribution, which gives the waits in closed form.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy import special


@dataclass(frozen=True)
class Erlang:
    """A queue in order of arrival with Poisson calls, exponential handling and patience, and equal agents.

    Attributes:
        calls: Number of calls per unit of time.
        handling: Mean handling time.
        agents: Number of agents n.
        patience: Mean time after which a waiting caller hangs up; None if no caller hangs up.
    """

    calls: float
    handling: float
    agents: int
    patience: float | None = None

    @property
    def load(self) -> float:
        """Offered load in erlangs."""
        return self.calls * self.handling

    @property
    def stable(self) -> bool:
        return self.patience is not None or self.load < self.agents

    @cached_property
    def probabilities_N(self) -> np.ndarray:
        """Probability of N = 0, 1, … callers in the system, truncated where it is below 1e-15."""
        n, mu = self.agents, 1 / self.handling
        if self.patience is None:
            beyond = math.ceil(-35 / math.log(self.load / n))
        else:  # 60 more than the number from which on each probability is at most half the previous one
            beyond = math.ceil(max(0.0, 2 * self.calls - n * mu) * self.patience) + 60
        number_N = np.arange(1, n + beyond + 1)
        theta = 0.0 if self.patience is None else 1 / self.patience
        leaving_N = np.minimum(number_N, n) * mu + np.maximum(number_N - n, 0) * theta
        log_N = np.concatenate([[0.0], np.cumsum(np.log(self.calls) - np.log(leaving_N))])
        weight_N = np.exp(log_N - log_N.max())
        return weight_N / weight_N.sum()

    @property
    def p_wait(self) -> float:
        """Share of callers who find all agents busy."""
        return float(self.probabilities_N[self.agents :].sum()) if self.stable else 1.0

    @property
    def mean_in_queue(self) -> float:
        """Mean number of waiting callers over time."""
        if not self.stable:
            return math.inf
        waiting_N = self.probabilities_N[self.agents :]
        return float(waiting_N @ np.arange(len(waiting_N)))

    @property
    def mean_wait(self) -> float:
        """Mean wait of all callers, including those who hang up, by Little's law."""
        return self.mean_in_queue / self.calls

    @property
    def mean_wait_of_answered(self) -> float:
        """Mean wait of the callers who are answered."""
        if self.patience is None:
            return self.mean_wait
        waiting_N, a, b_N = self._ahead(self.patience)
        weight_N = waiting_N * a / (a + b_N)
        waits_N = self.patience * (special.digamma(a + 1 + b_N) - special.digamma(a + 1))
        return float(weight_N @ waits_N) / (1 - self.p_abandon)

    @property
    def p_abandon(self) -> float:
        """Share of callers who hang up."""
        return 0.0 if self.patience is None else self.mean_wait / self.patience

    @property
    def utilisation(self) -> float:
        """Share of time that agents spend on calls."""
        return min(1.0, self.load * (1 - self.p_abandon) / self.agents)

    def service_level(self, within: float) -> float:
        """Returns the share of all callers who are answered within the given time."""
        if not self.stable:
            return 0.0
        if self.patience is None:
            return 1 - self.p_wait * math.exp(-(self.agents - self.load) * within / self.handling)
        waiting_N, a, b_N = self._ahead(self.patience)
        late_N = special.betainc(a + 1, b_N, math.exp(-within / self.patience))
        return 1 - self.p_wait + float(waiting_N @ (a / (a + b_N) * (1 - late_N)))

    def _ahead(self, patience: float) -> tuple[np.ndarray, float, np.ndarray]:
        """Returns the probability that all agents are busy and 0, 1, … callers wait, and parameters a and b.

        They are the parameters of the beta distribution of exp(-theta V) for each number of waiting callers.
        """
        waiting_N = self.probabilities_N[self.agents :]
        return waiting_N, self.agents / self.handling * patience, 1.0 + np.arange(len(waiting_N))


@lru_cache(maxsize=100_000)
def agents_for_service(calls: float, handling: float, share: float, within: float) -> int:
    """Returns the smallest number of agents who answer a share of the calls within a time, by Erlang C.

    Args:
        calls: Number of calls per unit of time.
        handling: Mean handling time.
        share: Required share of calls.
        within: Time within which they must be answered.
    """
    agents = max(1, math.ceil(calls * handling))
    while calls > 0 and Erlang(calls, handling, agents).service_level(within) < share:
        agents += 1
    return agents


@lru_cache(maxsize=100_000)
def agents_of_least_cost(
    calls: float, handling: float, patience: float | None, staff: float, waiting: float, lost: float
) -> int:
    """Returns the number of agents with the least cost per unit of time, by Erlang A (or C without patience).

    Args:
        calls: Number of calls per unit of time.
        handling: Mean handling time.
        patience: Mean time after which a waiting caller hangs up; None if no caller hangs up.
        staff: Cost of an agent per unit of time.
        waiting: Cost of a waiting caller per unit of time.
        lost: Cost of a caller who hangs up.
    """

    def cost(agents: int) -> float:
        line = Erlang(calls, handling, agents, patience)
        return staff * agents + waiting * line.mean_in_queue + lost * calls * line.p_abandon

    agents = 1 if patience is not None else math.floor(calls * handling) + 1
    while calls > 0 and cost(agents + 1) < cost(agents):  # the cost is convex in the number of agents
        agents += 1
    return agents
