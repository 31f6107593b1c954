"""A stock for which orders must be placed some periods ahead of a demand that nobody knows.

An example: lead time 2, Poisson demand with mean 5, a sale lost costs 9, a unit held 1 a period; 3 units are
on hand and 6 arrive next period. Base-stock with the best level, 19, orders 10, all that is missing. The
optimum orders 6: a shortage now can't be made up for later, as customers don't wait.
"""

import itertools
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Literal, TypedDict

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from simdistill.mdp import DecisionProcess
from simdistill.simulation import (
    Decision,
    Experiment,
    Forecast,
    KnownCase,
    Parameters,
    Policy,
    ProcessModel,
    Quantity,
)
from simdistill.simulation.distributions import of_moments


def amount(state: dict, choices: Sequence[str], units: float) -> str:
    """Returns the choice whose order is nearest to a number of units."""
    return choices[max(0, min(len(choices) - 1, round(units / state["lot_size"])))]


def position(state: dict) -> float:
    """Returns the inventory position: stock on hand, minus the backlog, plus all orders on the way."""
    return state["on_hand"] + sum(state["on_order"])


Demand = Literal[
    "poisson",
    "geometric",
    "deterministic",
    "exponential",
    "negative_binomial",
    "binomial",
    "discrete_uniform",
    "uniform",
    "normal",
    "gamma",
    "lognormal",
]
"""Distribution of a period's demand."""


class Observed(TypedDict):
    """The fields of a state that aren't numbers."""

    demand: Demand


@dataclass(frozen=True)
class BaseStock:
    """Orders up to a level of the inventory position, but at most `cap` units at a time."""

    level: float
    cap: float = math.inf

    def __call__(self, state: dict, choices: Sequence[str]) -> str:
        return amount(state, choices, min(self.cap, self.level - position(state)))


@dataclass(frozen=True)
class ReorderPoint:
    """Orders up to `level` as soon as the inventory position is at or below `reorder`: an (s, S) policy."""

    reorder: float
    level: float

    def __call__(self, state: dict, choices: Sequence[str]) -> str:
        return amount(state, choices, self.level - position(state) if position(state) <= self.reorder else 0)


@dataclass(frozen=True)
class Constant:
    """Orders the same amount in every period."""

    units: float

    def __call__(self, state: dict, choices: Sequence[str]) -> str:
        return amount(state, choices, self.units)


def base_stock(state: dict, choices: Sequence[str]) -> str:
    """Orders up to the level with the least average cost."""
    return _best("base_stock", *_terms(state))(state, choices)


def capped_base_stock(state: dict, choices: Sequence[str]) -> str:
    """Orders up to a level, but at most a cap at a time, with the pair of least cost (Xin 2021)."""
    return _best("capped_base_stock", *_terms(state))(state, choices)


def s_S(state: dict, choices: Sequence[str]) -> str:
    """Orders up to S once the position is at or below s, with the pair that is best with backorders."""
    return _best("s_S", *_terms(state))(state, choices)


def constant(state: dict, choices: Sequence[str]) -> str:
    """Orders a constant amount, the one with the least average cost."""
    return _best("constant", *_terms(state))(state, choices)


def myopic(state: dict, choices: Sequence[str]) -> str:
    """Places the order with the least expected cost in the period in which it arrives (Zipkin 2008)."""
    return amount(
        state, choices, _myopic(state["on_hand"], tuple(state["on_order"]), len(choices) - 1, *_terms(state))
    )


TERMS = (
    "demand",
    "mean_demand",
    "demand_sd",
    "lead_time",
    "lost_sales",
    "perishable",
    "holding_cost",
    "shortage_cost",
    "order_cost",
    "lot_size",
)
"""Names of the fields that a decider knows; they are the same in the state and in the parameters."""

BY_MEAN = ("poisson", "geometric", "deterministic", "exponential")
"""Distributions of demand that their mean determines."""


def _terms(state: dict) -> tuple:
    return tuple([state[name] for name in TERMS])


@lru_cache(maxsize=4096)
def _best(name: str, *terms: Any) -> Policy:
    from simdistill.simulators.references.inventory.policies import best

    return best(name, Inventory.Params(**dict(zip(TERMS, terms, strict=True))))


@lru_cache(maxsize=500_000)
def _myopic(on_hand: int, on_order: tuple[int, ...], max_order: int, *terms: Any) -> float:
    from simdistill.simulators.references.inventory.myopic import myopic_order

    params = Inventory.Params(**dict(zip(TERMS, terms, strict=True)), max_order=max_order)
    return myopic_order(params, on_hand, on_order)


PRODUCT, SUPPLIER = "the product", "the supplier"
"""Names in event logs of the only product, and of the supplier who delivers it."""


class Inventory(ProcessModel):
    """Each period an order arrives, the next one is placed, demand comes, stock and shortage are charged."""

    decides_at = "end"

    class Params(Parameters):
        demand: Demand = Field(
            "poisson", description="distribution of a period's demand, independent between periods"
        )
        mean_demand: PositiveFloat = Field(5.0, description="units per period")
        demand_sd: NonNegativeFloat | None = Field(
            None, description="standard deviation of a period's demand; None where the mean determines it"
        )
        lead_time: int = Field(2, ge=0, le=50, description="periods from placing an order to its arrival")
        lost_sales: bool = Field(True, description="whether customers leave when stock is out, or wait")
        perishable: bool = Field(False, description="whether stock is thrown away after its period")
        holding_cost: NonNegativeFloat = Field(
            1.0, description="per unit of stock left after a period's demand"
        )
        shortage_cost: NonNegativeFloat = Field(
            9.0, description="per unit of demand lost, or per unit that waits after a period's demand"
        )
        order_cost: NonNegativeFloat = Field(0.0, description="per order, whatever its size")
        lot_size: PositiveInt | PositiveFloat = Field(1, description="units; orders are in whole lots")
        max_order: PositiveInt = Field(9, description="lots in the largest order")
        initial_stock: int | float = Field(0, description="units on hand at first; below 0 if customers wait")

        @model_validator(mode="after")
        def _consistent(self):
            if self.lost_sales and self.initial_stock < 0:
                raise ValueError(f"initial_stock is {self.initial_stock}, but with lost_sales nobody waits")
            if self.perishable and not (self.lost_sales and self.lead_time == 0):
                raise ValueError(
                    "perishable stock needs lost_sales: true and lead_time: 0, "
                    f"got lost_sales {self.lost_sales}, lead_time {self.lead_time}"
                )
            implied = math.sqrt(self.distribution.variance)
            if self.demand_sd is not None and not math.isclose(self.demand_sd, implied, abs_tol=1e-6):
                raise ValueError(
                    f"{self.demand} demand with mean {self.mean_demand:g} has a standard deviation of "
                    f"{implied:g}, not demand_sd = {self.demand_sd:g}"
                )
            return self

        @cached_property
        def distribution(self) -> Any:
            """Distribution of a period's demand by its mean and standard deviation."""
            whole = self.mean_demand.is_integer()
            mean = int(self.mean_demand) if whole else self.mean_demand
            return of_moments(self.demand, mean, None if self.demand in BY_MEAN else self.demand_sd)

        @property
        def load(self) -> float:
            """Mean demand over the largest order; below 1 orders can keep up."""
            return self.mean_demand / (self.max_order * self.lot_size)

    forecasts = (
        Forecast(
            "In how many of the next 2 periods does stock run out?", "stockout", 2.0, (1, 2), reading="sum"
        ),
    )
    families = ("lost_sales", "backorders", "newsvendor")
    observes: ClassVar[type] = Observed
    policies: ClassVar[Mapping[str, Policy]] = {
        "base_stock": base_stock,
        "capped_base_stock": capped_base_stock,
        "s_S": s_S,
        "myopic": myopic,
        "constant": constant,
    }

    @property
    def max_choices(self) -> int:
        return self.params.max_order + 1

    def build(self):
        lots = Quantity(0, self.params.max_order).labelled()
        self.orders = {label: count * self.params.lot_size for label, count in lots.items()}
        self.on_hand = self.params.initial_stock
        self.on_order = [0] * self.params.lead_time  # the next to arrive first
        self.placed = deque()  # number of each order under way, and when it was placed
        self.orders_placed = 0
        self.terms = observed_terms(self.params)
        self.count()
        self.env.process(self.periods())

    def periods(self):
        for period in itertools.count():
            if self.on_order:
                self.receive(self.on_order.pop(0))
            about = {"product": PRODUCT}
            order = yield self.decide("How many lots do you order?", self.orders, about=about)
            self.place(order)
            self.sell(self.draw("demand", period, self.params.distribution))
            yield self.env.timeout(1)

    def receive(self, order: float):
        self.on_hand += order
        if order:
            number, since = self.placed.popleft()
            self.log("order arrives", order=number, product=PRODUCT, supplier=SUPPLIER)
            self.tally("time_in_system_orders", self.env.now - since)

    def place(self, order: float):
        if order:
            self.charge("ordering", self.params.order_cost)
            self.orders_placed += 1
            self.placed.append((self.orders_placed, self.env.now))
            self.log("order is placed", order=self.orders_placed, product=PRODUCT, supplier=SUPPLIER)
            self.tally("arrived_orders", 1)
        self.tally("order", order)
        self.tally("arrived", order)
        if self.params.lead_time == 0:
            self.receive(order)
        else:
            self.on_order.append(order)

    def sell(self, demand: float):
        self.log("demand", product=PRODUCT)
        short = max(0, demand - self.on_hand)
        left = max(0, self.on_hand - demand)
        self.charge("holding", self.params.holding_cost * left)
        self.charge("shortage", self.params.shortage_cost * short)
        self.tally("on_hand", left)
        self.tally("short", short)
        self.tally("stockout", short > 0)
        before = self.on_hand
        keeps = 0 if self.params.perishable else left
        self.on_hand = keeps if self.params.lost_sales else left - short
        self.tally("left", before - self.on_hand)
        self.count()

    def count(self):
        self.level("in_system", self.on_hand + sum(self.on_order))
        self.level("in_system_orders", len(self.placed))

    def observe(self, decision: Decision) -> dict:
        # At the end of an episode no order is asked for, and orders that are due haven't been received. They
        # are counted as received, so that the state is one in which the next order would be decided on.
        kept = max(0, self.params.lead_time - 1)
        due = len(self.on_order) - kept
        on_hand = self.on_hand + sum(self.on_order[:due]) if due else self.on_hand
        return {**self.terms, "on_hand": on_hand, "on_order": self.on_order[due:]}

    def fingerprint(self):
        return self.on_hand, tuple(self.on_order)

    @classmethod
    def experiment(cls, case: KnownCase) -> Experiment:
        from simdistill.simulators.references.inventory.cases import experiment

        return experiment(case)

    @classmethod
    def markov(cls, params: Parameters | Mapping | None, size: int) -> DecisionProcess:
        """Returns the decision process of stock and orders, with at most `size` units on hand or waiting."""
        from simdistill.simulators.references.inventory.process import chain

        return chain(cls.parse(params), size)


def observed_terms(params: Any) -> dict:
    """Returns the parameters that a decider knows."""
    return {
        **{name: getattr(params, name) for name in TERMS},
        "demand_sd": math.sqrt(params.distribution.variance),
    }
