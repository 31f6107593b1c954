"""A chain of stages from the customer up to the source; every period each stage orders from the next one.

An example: after weeks of 4 cases the retailer was asked for 8, has 4 left and 16 on their way. Passing the 8
on leaves the chain as empty as it is now; ordering more to fill it makes the wholesaler see a surge, and the
stages above it a greater one. Which of the two is cheaper depends on what comes next.
"""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator
from scipy.special import ndtri

from simdistill.simulation import Decision, Experiment, Forecast, KnownCase, Parameters, Policy, ProcessModel
from simdistill.simulation.distributions import of_moments


def nearest(choices: Sequence[str], amount: float) -> str:
    """Returns the order nearest to an amount; halves are rounded up."""
    steps = min(max(amount / float(choices[1]), 0.0), len(choices) - 1.0)
    return choices[math.floor(steps + 0.5)]


def pass_through(state: dict, choices: Sequence[str]) -> str:
    """Orders the amount that was just ordered from this stage."""
    return nearest(choices, state["incoming"])


def order_up_to(state: dict, choices: Sequence[str]) -> str:
    """Orders up to the base-stock level that would be best for each stage on its own.

    The level covers the demand until a new order arrives with the probability backlog cost / (backlog cost +
    holding cost). Demand is taken as normal (Silver, Pyke, Thomas, Inventory and Production Management,
    chapter 7).
    """
    stage, mean = state["stage"], state["forecast"]
    backlog_cost = state["backlog_costs"][stage] or state["backlog_costs"][0]
    covered = backlog_cost / (backlog_cost + state["holding_costs"][stage] + 1e-9)
    safety = float(ndtri(min(max(covered, 0.001), 0.999)))
    time, sd = state["lead_times"][stage], state.get("demand_sd", math.sqrt(abs(mean)))
    level = mean * time + safety * sd * math.sqrt(time)
    return nearest(choices, level - state["stock"] - state["on_order"])


def anchor_and_adjust(
    state: dict, choices: Sequence[str], alpha: float = 0.26, beta: float = 0.34, desired: float = 17.0
) -> str:
    """Orders the expected demand plus a share of the missing stock, as Sterman's players did.

    Sterman, Modeling Managerial Behavior, Management Science 35 (1989); the default values are means over
    players. As beta is below 1, they ignore much of what is on its way.
    """
    lacking = desired - state["stock"] - beta * state["on_order"]
    return nearest(choices, state["forecast"] + alpha * lacking)


def echelon_base_stock(state: dict, choices: Sequence[str]) -> str:
    """Orders up to Clark and Scarf's level of the echelon stock: all stock from the stage to the customer.

    In the local view a stage orders up to the difference of two levels, which is equivalent (Axsäter and
    Rosling, Management Science 39, 1993).
    """
    from simdistill.simulators.references.supply_chain.clark_scarf import best_levels

    levels = best_levels(
        state.get("demand", "poisson"),
        round(state["forecast"], 1),
        state.get("demand_sd"),
        tuple(state["lead_times"]),
        tuple(state["holding_costs"]),
        state["backlog_costs"][0],
    )
    stage = state["stage"]
    if "echelon_position" in state:
        return nearest(choices, levels[stage] - state["echelon_position"])
    below = levels[stage - 1] if stage else 0.0
    return nearest(choices, levels[stage] - below - state["stock"] - state["on_order"])


class SupplyChain(ProcessModel):
    """Stages in a line, the customer's first; what can't be sent is owed, and the source never runs out."""

    decides_at = "end"

    class Params(Parameters):
        demand: str = Field("poisson", description="distribution of a period's demand")
        demand_mean: PositiveFloat = Field(5.0, description="units per period")
        demand_sd: NonNegativeFloat | None = Field(
            None, description="units per period, for distributions with two parameters; 0: demand is certain"
        )
        step_periods: tuple[PositiveInt, ...] = Field(
            (), description="periods from which on demand has another mean, in order"
        )
        step_means: tuple[NonNegativeFloat, ...] = Field((), description="units per period from each step on")
        holding_costs: tuple[NonNegativeFloat, ...] = Field(
            (7.0, 4.0, 2.0), min_length=1, max_length=10, description="per unit and period, per stage"
        )
        backlog_costs: tuple[NonNegativeFloat, ...] = Field(
            (37.0, 0.0, 0.0), description="per unit owed and period, per stage"
        )
        in_transit_costs: bool = Field(
            True, description="whether goods on their way cost what they cost at the sender"
        )
        lead_times: tuple[PositiveInt, ...] = Field(
            (1, 1, 2), description="periods from sending to arrival, per stage"
        )
        order_delays: tuple[NonNegativeInt, ...] = Field(
            (0, 0, 0), description="periods until the sender sees an order, per stage"
        )
        initial_stock: tuple[NonNegativeFloat, ...] = Field(
            (7.0, 6.0, 11.0), description="units per stage at time 0"
        )
        initial_flow: NonNegativeFloat = Field(
            0.0, description="units in every period of lead time and order delay"
        )
        largest_order: PositiveFloat = Field(15.0, description="units")
        order_step: PositiveFloat = Field(1.0, description="orders are multiples of so many units")
        smoothing: float = Field(
            0.0, ge=0, le=1, description="weight of the newest order in the forecast; 0: mean demand"
        )
        fixed_periods: NonNegativeInt = Field(
            0, description="at first everyone orders initial_flow for so many periods"
        )
        periods: PositiveInt | None = Field(None, description="periods until the end; null: none")
        view: Literal["local", "echelon"] = Field(
            "echelon", description="whether stages see the stock further down"
        )

        @model_validator(mode="after")
        def _fits_together(self):
            stages = len(self.holding_costs)
            for name in ("backlog_costs", "lead_times", "order_delays", "initial_stock"):
                if len(getattr(self, name)) != stages:
                    raise ValueError(f"{name} has {len(getattr(self, name))} numbers for {stages} stages")
            rising = list(self.step_periods) == sorted(self.step_periods)
            if not rising or len(self.step_means) != len(self.step_periods):
                raise ValueError(
                    f"step_periods {self.step_periods} must rise and have as many numbers as step_means "
                    f"{self.step_means}"
                )
            if self.largest_order <= (mean := max(self.demand_mean, *self.step_means, 0.0)):
                raise ValueError(
                    f"largest_order {self.largest_order:g} must exceed the mean demand {mean:g}, or backlogs "
                    "grow without end"
                )
            if not 1 <= self.largest_order / self.order_step <= 100_000:
                raise ValueError(
                    f"largest_order {self.largest_order:g} must be 1 to 100,000 times order_step "
                    f"{self.order_step:g}"
                )
            of_moments(self.demand, self.demand_mean, self.demand_sd)
            return self

    policies: ClassVar[Mapping[str, Policy]] = {
        "order_up_to": order_up_to,
        "anchor_and_adjust": anchor_and_adjust,
        "pass_through": pass_through,
        "echelon_base_stock": echelon_base_stock,
    }
    forecasts = (
        Forecast(
            "Of how many periods do customers wait for goods 2 periods from now?", "in_system", 2.0, (1, 2, 3)
        ),
    )
    families = ("serial_system", "beer_game")

    @property
    def max_choices(self) -> int:
        return len(self.orders)

    def build(self):
        p = self.params
        self.stages = range(len(p.holding_costs))
        steps = math.floor(p.largest_order / p.order_step + 1e-9)
        self.orders = {f"{n * p.order_step:.10g}": n * p.order_step for n in range(steps + 1)}
        self.demands = [of_moments(p.demand, mean, p.demand_sd) for mean in (p.demand_mean, *p.step_means)]
        self.stock = list(p.initial_stock)  # less what the stage owes
        self.shipments = [deque([p.initial_flow] * time) for time in p.lead_times]  # the next to arrive first
        self.slips = [
            deque([p.initial_flow] * delay) for delay in p.order_delays
        ]  # the next to be seen first
        self.on_order = [p.initial_flow * (a + b) for a, b in zip(p.lead_times, p.order_delays, strict=True)]
        self.incoming = [p.initial_flow for _ in self.stages]
        self.forecast = [p.initial_flow if p.smoothing else p.demand_mean for _ in self.stages]
        self.period, self.demanded = 0, 0.0
        self.customers: deque[tuple[int, float]] = deque()  # not served: period, units demanded up to it
        self.level("in_system", 0)
        self.env.process(self.run())

    def run(self):
        p = self.params
        while self.period != p.periods:
            yield self.env.timeout(1)
            self.period += 1
            order = self.customer_order()
            for stage in self.stages:
                self.serve(stage, order)
                if self.period <= p.fixed_periods:
                    order = p.initial_flow
                else:
                    order = yield self.decide("How many to order?", self.orders, about={"stage": stage})
                if order:
                    self.log("order is placed", order=f"{stage}-{self.period}", stage=stage)
                self.on_order[stage] += order
                self.slips[stage].append(order)
                order = self.slips[stage].popleft()  # what the next stage sees
            self.send(self.stages[-1], order)
            self.account()

    def send(self, stage: int, amount: float):
        """Sends goods to a stage."""
        self.shipments[stage].append(amount)
        if amount:
            self.log("shipment is sent", shipment=f"{stage}-{self.period}", stage=stage)

    def customer_order(self) -> float:
        steps = bisect_right(self.params.step_periods, self.period)
        demand = self.draw("demand", self.period, self.demands[steps])
        self.demanded += demand
        self.customers.append((self.period, self.demanded))
        self.tally("arrived", 1)
        self.log("demand", stage=0)
        return demand

    def serve(self, stage: int, order: float):
        """Receives a stage's shipment, and sends what is owed and ordered as far as stock allows."""
        owed, arrived = max(0.0, -self.stock[stage]), self.shipments[stage].popleft()
        self.on_order[stage] -= arrived
        if arrived:
            sent = self.period - self.params.lead_times[stage]
            self.log("shipment arrives", shipment=f"{stage}-{sent}", stage=stage)
        self.stock[stage] += arrived - order
        if stage > 0:
            self.send(stage - 1, owed + order - max(0.0, -self.stock[stage]))
        self.incoming[stage] = order
        self.forecast[stage] += self.params.smoothing * (order - self.forecast[stage])

    def account(self):
        p = self.params
        for stage in self.stages:
            held, owed = max(0.0, self.stock[stage]), max(0.0, -self.stock[stage])
            if p.in_transit_costs and stage > 0:
                held += sum(self.shipments[stage - 1])
            self.charge(f"stage {stage + 1}", p.holding_costs[stage] * held + p.backlog_costs[stage] * owed)
        served = self.demanded - max(0.0, -self.stock[0])
        while self.customers and self.customers[0][1] <= served + 1e-9:
            period, _ = self.customers.popleft()
            self.tally("time_in_system", self.period - period)
        self.level("in_system", len(self.customers))

    def observe(self, decision: Decision) -> dict:
        p, stage = self.params, decision.about["stage"]
        seen = {
            "stage": stage,
            "incoming": self.incoming[stage],
            "stock": self.stock[stage],
            "on_order": self.on_order[stage],
            "forecast": self.forecast[stage],
            "lead_times": [a + b for a, b in zip(p.lead_times, p.order_delays, strict=True)],
            "holding_costs": list(p.holding_costs),
            "backlog_costs": list(p.backlog_costs),
        }
        if p.view == "echelon":
            seen["echelon_position"] = sum(self.stock[: stage + 1]) + sum(self.on_order[: stage + 1])
        if p.smoothing == 0.0:
            seen |= {"demand": p.demand, "demand_sd": math.sqrt(self.demands[0].variance)}
        if p.periods is not None:
            seen["periods_left"] = p.periods - self.period
        return seen

    def fingerprint(self):
        rows = [*self.shipments, *self.slips, self.stock, self.incoming, self.forecast]
        return self.period, *map(tuple, rows)

    @classmethod
    def experiment(cls, case: KnownCase) -> Experiment:
        from simdistill.simulators.references.supply_chain.cases import experiment

        return experiment(case)
