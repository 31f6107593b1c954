"""Costs, levels and tallies: what is measured while a process runs."""

import math
from collections.abc import Mapping
from typing import ClassVar

import simpy

from simdistill.errors import ProcessError


class Monitored:
    """Keeps the costs, levels and tallies of a process.

    A cost accrues at a rate or is charged at once; a level is averaged over time, a tally over observations.

    Args:
        env: Whose time counts.

    Attributes:
        cost_weights: Name of a cost -> its weight in the total cost; 1 where none is given.
    """

    cost_weights: ClassVar[Mapping[str, float]] = {}

    def __init__(self, env: simpy.Environment):
        self.env = env
        self._costs: dict[str, list[float]] = {}  # name -> [accrued, rate, since]
        self._levels: dict[str, list[float]] = {}  # name -> [integral over time, value, since]
        self._tallies: dict[str, list[float]] = {}  # name -> [sum, count]

    def cost_rate(self, name: str, value: float) -> None:
        """Sets the cost that accrues per unit of time from now on; its value counts as a level as well."""
        account = self._costs.get(name)
        now = self.env.now
        if account is None:
            account = self._costs[name] = [0.0, 0.0, now]
        if not -math.inf < value < math.inf:
            self._finite(name, value)
        account[0] += account[1] * (now - account[2])
        account[1], account[2] = value, now

    def charge(self, name: str, amount: float) -> None:
        """Charges an amount at once."""
        self._costs.setdefault(name, [0.0, 0.0, self.env.now])[0] += self._finite(name, amount)

    def level(self, name: str, value: float) -> None:
        """Sets a quantity whose time average is reported, e.g. the number in system."""
        account = self._levels.get(name)
        now = self.env.now
        if account is None:
            self._levels[name] = [0.0, value, now]
        else:
            account[0] += account[1] * (now - account[2])
            account[1], account[2] = value, now

    def tally(self, name: str, value: float) -> None:
        """Adds an observation to a mean, e.g. a wait; True counts as 1."""
        account = self._tallies.get(name)
        if account is None:
            account = self._tallies[name] = [0.0, 0.0]
        account[0] += value
        account[1] += 1.0

    @property
    def ended(self) -> bool:
        """Whether nothing can happen any more."""
        return self.env.peek() == math.inf

    def cost(self, time: float | None = None) -> float:
        """Returns the weighted cost accrued up to a time, by default up to now."""
        if time is None or self.ended:
            time = self.env.now
        weights, total = self.cost_weights, 0.0
        for name, (accrued, rate, since) in self._costs.items():
            total += weights.get(name, 1.0) * (accrued + rate * (time - since))
        return total

    def costs(self, time: float | None = None) -> dict[str, float]:
        """Returns the cost accrued up to a time by name, unweighted; an ended process costs no more."""
        time = self.env.now if time is None or self.ended else time
        return {name: total + rate * (time - since) for name, (total, rate, since) in self._costs.items()}

    def levels(self) -> dict[str, float]:
        """Returns the value of each level and of each rate of cost now."""
        return {
            name: value
            for accounts in (self._costs, self._levels)
            for name, (_, value, _) in accounts.items()
        }

    def totals(self, time: float | None = None) -> dict[str, tuple[float, float]]:
        """Returns the sum and the weight of every level, tally and cost up to a time.

        The weight of a level or cost is the time, that of a tally the number of observations. The mean over a
        window is the difference of the sums divided by the difference of the weights.
        """
        time = self.env.now if time is None or self.ended else time
        levels = {
            name: (total + value * (time - since), time)
            for name, (total, value, since) in self._levels.items()
        }
        costs = {name: (cost, time) for name, cost in self.costs(time).items()}
        return {**costs, **levels, **{name: (total, n) for name, (total, n) in self._tallies.items()}}

    def _finite(self, name: str, value: float) -> float:
        if not -math.inf < value < math.inf:  # false for NaN as well
            raise ProcessError(*self._where(), f"cost {name!r} is {value!r}")
        return value

    def _where(self) -> tuple[str, tuple[int, ...], float]:
        """Simulator, seed path and time, for messages."""
        raise NotImplementedError
