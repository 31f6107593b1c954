"""A help line after the example of NHS 111: operators answer, and pass some of the callers on to nurses.

An example: 100 calls an hour, 13 operators (5 to 10 minutes a call), and 9 nurses (10 to 20 minutes) for the
40% who go on to one. That is ten hours' work an hour for nine nurses, so their queue grows: in 1000 minutes
callers wait 50 minutes for a nurse on average, and 3 for an operator.
"""

import itertools
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import simpy
from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from simdistill.simulation import (
    Decision,
    Experiment,
    Forecast,
    KnownCase,
    Parameters,
    Policy,
    ProcessModel,
    Quantity,
    uniform,
)
from simdistill.simulation.distributions import Distribution, named, piecewise_exponential
from simdistill.simulators.call_center import nearest
from simdistill.simulators.references.erlang import agents_for_service, agents_of_least_cost

HOUR = 60.0


def erlang_c(calls: float, time: float, state: dict) -> int:
    """Returns the staff with which 80% of callers wait at most 1 minute (operators) or 10 (nurses)."""
    return agents_for_service(calls, time, 0.8, 10.0 if state["desk"] else 1.0)


def least_cost(calls: float, time: float, state: dict) -> int:
    """Returns the staff of least cost by Erlang C if this hour went on for ever."""
    desk = state["desk"]
    return agents_of_least_cost(
        calls, time, None, state["staff_costs"][desk] / HOUR, state["waiting_costs"][desk] / HOUR, 0.0
    )


def hourly(staff: Callable[[float, float, dict], int], backlog: bool = False) -> Policy:
    """Returns the policy that staffs by a formula on the forecast of the hour (stationary, period by period).

    Args:
        staff: Function of calls per minute, mean minutes per call and the state that returns the staff.
        backlog: Whether callers who are already waiting count as calls of this hour.
    """
    return partial(_hourly, staff, backlog)


def _hourly(
    staff: Callable[[float, float, dict], int], backlog: bool, state: dict, choices: Sequence[str]
) -> str:
    desk = state["desk"]
    calls = state["calls_per_hour"] * (state["share_to_nurse"] if desk else 1.0)
    calls += state["waiting"][desk] if backlog else 0
    return nearest(staff(calls / HOUR, state["minutes"][desk], state), choices)


class Desk:
    """Staff who serve one queue, first come first served.

    Attributes:
        name: Name of the desk.
        time: Distribution of the minutes with a caller.
        staff: Number on duty; staff with a caller at the end of duty finish the call.
        waiting: Caller -> event of the caller's turn, in order of arrival.
        serving: Caller -> time at which it was the caller's turn.
    """

    def __init__(self, name: str, time: Distribution, staff: int):
        self.name, self.time, self.staff = name, time, staff
        self.waiting: OrderedDict[int, simpy.Event] = OrderedDict()
        self.serving: dict[int, float] = {}


class HelpLine(ProcessModel):
    """A manager decides each hour how many operators and nurses are on duty; time is in minutes."""

    decides_at = "end"

    class Params(Parameters):
        calls_per_hour: PositiveFloat = 40.0
        profile: tuple[NonNegativeFloat, ...] = Field(
            (0.8, 1.1, 1.3, 1.0, 0.8, 1.0),
            min_length=1,
            description="multiplies the calls in the first, second, … hour, over and over",
        )
        hours: PositiveInt | None = Field(6, description="hours until the line closes; None: never")
        operator_time_min: dict[str, Any] = Field(
            {"name": "triangular", "low": 5, "mode": 7, "high": 10}, description="distribution of minutes"
        )
        nurse_time_min: dict[str, Any] = Field(
            {"name": "uniform", "low": 10, "high": 20}, description="distribution of minutes"
        )
        share_to_nurse: float = Field(0.4, ge=0, le=1, description="share of callers who go on to a nurse")
        operators: PositiveInt | None = Field(None, description="on duty; None: decided each hour")
        nurses: PositiveInt | None = Field(None, description="on duty; None: decided each hour")
        fewest: PositiveInt = Field(3, description="operators, or nurses, who may be on duty")
        most: PositiveInt = Field(11, description="operators, or nurses, who may be on duty")
        staff_costs: tuple[NonNegativeFloat, NonNegativeFloat] = Field(
            (18.0, 36.0), description="of an operator's and a nurse's hour"
        )
        waiting_costs: tuple[NonNegativeFloat, NonNegativeFloat] = Field(
            (40.0, 15.0), description="of a caller's hour of waiting for an operator, and for a nurse"
        )
        waiting_at_start: tuple[NonNegativeInt, NonNegativeInt] = Field(
            (0, 0), description="callers who wait for an operator, and for a nurse, at time 0"
        )

        @field_validator("operator_time_min", "nurse_time_min")
        @classmethod
        def _distribution(cls, value: dict[str, Any]) -> dict[str, Any]:
            named(value)
            ends = [value[key] for key in ("low", "mode", "high") if key in value]
            if ends != sorted(ends):
                raise ValueError(f"low, mode and high must be in order, got {ends}")
            return value

        @model_validator(mode="after")
        def _some_calls_and_choices(self):
            if not any(self.profile):
                raise ValueError(f"profile must have a positive number, got {self.profile}")
            if self.fewest > self.most:
                raise ValueError(f"fewest = {self.fewest} is above most = {self.most}")
            return self

        @property
        def load(self) -> float:
            """Offered load of the busier desk at the peak, over its largest staff."""
            calls = self.calls_per_hour * max(self.profile) / HOUR
            return calls * max(
                named(self.operator_time_min).mean / (self.operators or self.most),
                named(self.nurse_time_min).mean * self.share_to_nurse / (self.nurses or self.most),
            )

    policies: ClassVar[Mapping[str, Policy]] = {
        "erlang_c": hourly(erlang_c),
        "erlang_c_backlog": hourly(erlang_c, backlog=True),
        "least_cost": hourly(least_cost),
        "least_cost_backlog": hourly(least_cost, backlog=True),
    }
    forecasts = (
        Forecast(
            "How many calls are waiting or being answered in 60 minutes?", "in_system", 60.0, (5, 10, 20)
        ),
    )
    families = ("call_center_network",)

    @property
    def max_choices(self) -> int:
        return self.params.most - self.params.fewest + 1

    def build(self):
        params = self.params
        self.operators = Desk("operator", named(params.operator_time_min), params.operators or 0)
        self.nurses = Desk("nurse", named(params.nurse_time_min), params.nurses or 0)
        self.desks = (self.operators, self.nurses)
        self.open, self.hour, self.callers = True, 0, 0
        self.level("in_system", 0)
        for_operator, for_nurse = params.waiting_at_start
        for number in range(-for_operator, 0):
            self.env.process(self.call(number))
        for number in range(-for_operator - for_nurse, -for_operator):
            self.env.process(self.call(number, passed_on=True))
        self.env.process(self.calendar())
        self.env.process(self.arrivals())

    def calendar(self):
        for self.hour in itertools.count():
            if self.hour == self.params.hours:
                break
            for number, fixed in enumerate((self.params.operators, self.params.nurses)):
                if fixed is None:
                    staff = Quantity(self.params.fewest, self.params.most)
                    question = f"How many {self.desks[number].name}s are on duty this hour?"
                    self.desks[number].staff = yield self.decide(question, staff, number)
            self.changed()
            yield self.env.timeout(HOUR)
        self.open = False
        self.changed()

    def arrivals(self):
        rates = tuple(self.params.calls_per_hour * part / HOUR for part in self.params.profile)
        for number in itertools.count():
            yield self.duration("call", number, piecewise_exponential(rates, HOUR, self.env.now))
            if not self.open:
                return
            self.env.process(self.call(number))

    def call(self, number: int, passed_on: bool = False):
        came = self.env.now
        self.tally("arrived", 1)
        self.inside(+1)
        if not passed_on:
            yield from self.visit(self.operators, number)
            passed_on = self.draw("needs a nurse", number, uniform(0.0, 1.0)) < self.params.share_to_nurse
        if passed_on:
            yield from self.visit(self.nurses, number)
        self.tally("time_in_system", self.env.now - came)
        self.inside(-1)

    def inside(self, change: int):
        self.callers += change
        self.level("in_system", self.callers)

    def visit(self, desk: Desk, number: int):
        came = self.env.now
        turn = desk.waiting[number] = self.env.event()
        self.changed()
        yield turn
        wait = self.env.now - came
        self.log(f"{desk.name} answers", call=number)
        yield self.duration(f"call with {desk.name}", number, desk.time)
        del desk.serving[number]
        self.log(f"{desk.name} is done", call=number)
        self.tally(f"{desk.name}_wait_min", wait)
        self.changed()

    def changed(self):
        for desk, staff_cost, waiting_cost in zip(
            self.desks, self.params.staff_costs, self.params.waiting_costs, strict=True
        ):
            while desk.waiting and len(desk.serving) < desk.staff:
                number, turn = desk.waiting.popitem(last=False)
                desk.serving[number] = self.env.now
                turn.succeed()
            paid = max(desk.staff, len(desk.serving)) if self.open else len(desk.serving)
            self.cost_rate(f"{desk.name}s", staff_cost / HOUR * paid)
            self.cost_rate(f"waiting for {desk.name}s", waiting_cost / HOUR * len(desk.waiting))
            self.level(f"{desk.name}_utilisation", len(desk.serving) / max(1, desk.staff))

    def observe(self, decision: Decision) -> dict:
        params = self.params
        part = params.profile[self.hour % len(params.profile)] if self.open else 0.0
        return {
            "desk": decision.about,
            "hour": self.hour + 1,
            "hours": params.hours or 0,
            "calls_per_hour": round(params.calls_per_hour * part, 1),
            "share_to_nurse": params.share_to_nurse,
            "minutes": [round(desk.time.mean, 1) for desk in self.desks],  # type: ignore[attr-defined]
            "staff_costs": list(params.staff_costs),
            "waiting_costs": list(params.waiting_costs),
            "staff": [desk.staff for desk in self.desks],
            "serving": [len(desk.serving) for desk in self.desks],
            "waiting": [len(desk.waiting) for desk in self.desks],
        }

    def fingerprint(self):
        return tuple((desk.staff, tuple(desk.waiting), *desk.serving.items()) for desk in self.desks)

    @classmethod
    def experiment(cls, case: KnownCase) -> Experiment:
        from simdistill.simulators.references.help_line import experiment

        return experiment(case)
