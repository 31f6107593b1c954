"""A call centre with two skills: staff for each half hour, and which team helps which.

An example: 360 calls of 240 s in half an hour keep 48 agents busy; with 55, one caller in four waits, and all
callers wait 8 s on average (Erlang C). Another: a call of skill B waits and an agent of team A is free, but
takes longer over calls of B, and the next call of A may come at any moment. Help, or stay free?
"""

import itertools
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from simdistill.simulation import (
    Decision,
    Experiment,
    Forecast,
    KnownCase,
    Parameters,
    Policy,
    ProcessModel,
    Quantity,
    exponential,
    letters,
    uniform,
)
from simdistill.simulation.distributions import piecewise_exponential
from simdistill.simulators.references.erlang import agents_for_service, agents_of_least_cost

HALF_HOUR = 30.0
STAY = "0"


def erlang_c(calls: float, handling: float, patience: float | None, state: dict) -> float:
    """Returns the staff with which 80% of the calls would be answered within 20 seconds if nobody hung up."""
    return agents_for_service(calls, handling, 0.8, 1 / 3)


def erlang_a(calls: float, handling: float, patience: float | None, state: dict) -> float:
    """Returns the staff of least cost if this half hour went on for ever."""
    costs = state["staff_cost"] / HALF_HOUR, state["waiting_cost"], state["abandonment_cost"]
    return agents_of_least_cost(calls, handling, patience, *costs)


def square_root(calls: float, handling: float, patience: float | None, state: dict) -> float:
    """Returns the staff for the offered load, plus its square root (Halfin and Whitt's beta = 1)."""
    return calls * handling + math.sqrt(calls * handling)


def own_first(state: dict, choices: Sequence[str]) -> str:
    """Gives a free agent a call of the team's own skill, otherwise one of the other skill."""
    return choices[0]


def own_only(state: dict, choices: Sequence[str]) -> str:
    """Gives a free agent only calls of the team's own skill."""
    return choices[-1] if choices[-1] == STAY else choices[0]


def team(staff: Callable, route: Policy) -> Policy:
    """Returns the policy that staffs by a formula on the forecast of the half hour, and routes by a rule."""
    return partial(_team, staff, route)


def _team(staff: Callable, route: Policy, state: dict, choices: Sequence[str]) -> str:
    if not state["staffing"]:
        return route(state, choices)
    skill = state["skill"]
    calls, handling = state["calls"][skill] / HALF_HOUR, state["handling_s"][skill] / 60
    patience = state["patience_s"] / 60 or None
    return nearest(staff(calls, handling, patience, state) / (1 - state["absence"]), choices)


def nearest(staff: float, choices: Sequence[str]) -> str:
    """Returns the smallest choice of at least `staff`, or the largest choice if there is none."""
    return next((label for label in choices if int(label) >= staff - 1e-9), choices[-1])


class CallCenter(ProcessModel):
    """Each half hour a planner staffs one team per skill; a free agent may help the other team. Minutes."""

    decides_at = "end"

    class Params(Parameters):
        calls: tuple[PositiveFloat, ...] = Field(
            (12.0, 8.0), min_length=1, max_length=2, description="calls per half hour, per skill"
        )
        profile: tuple[NonNegativeFloat, ...] = Field(
            (0.7, 1.0, 1.3, 1.2, 0.9, 0.8, 1.1, 1.0),
            min_length=1,
            description="multiplies the calls in the first, second, … half hour, over and over",
        )
        half_hours: PositiveInt | None = Field(8, description="half hours until it closes; None: never")
        handling_s: tuple[PositiveFloat, ...] = Field((240.0, 300.0), description="mean seconds, per skill")
        helping_factor: PositiveFloat = Field(
            1.3, description="handling takes so much longer by the other team"
        )
        patience_s: PositiveFloat | None = Field(180.0, description="mean seconds to hanging up; None: never")
        absence: float = Field(0.0, ge=0, le=0.5, description="share of the roster that doesn't turn up")
        agents: tuple[PositiveInt, ...] | None = Field(
            None, description="agents of each team; None: decided each half hour"
        )
        max_agents: PositiveInt = Field(7, description="agents that may be rostered in a team")
        staff_cost: NonNegativeFloat = Field(10.0, description="of an agent for half an hour")
        waiting_cost: NonNegativeFloat = Field(1.0, description="of a caller's minute in the queue")
        abandonment_cost: NonNegativeFloat = Field(6.0, description="of a caller who hangs up")
        waiting_at_start: tuple[NonNegativeInt, ...] = Field(
            (), description="callers in the queue at time 0, per skill; none if left out"
        )
        within_s: tuple[NonNegativeFloat, ...] = Field((20.0,), description="seconds of the service levels")

        @model_validator(mode="after")
        def _one_number_per_skill(self):
            for name in ("handling_s", "agents", "waiting_at_start"):
                numbers = getattr(self, name)
                if numbers and len(numbers) != len(self.calls):
                    raise ValueError(f"{name} has {len(numbers)} numbers for {len(self.calls)} skills")
            if not any(self.profile):
                raise ValueError(f"profile must have a positive number, got {self.profile}")
            return self

        @property
        def load(self) -> float:
            """Offered load of the busiest team at the peak, over its largest roster."""
            agents = self.agents or (self.max_agents,) * len(self.calls)
            offered = [
                c * max(self.profile) * h / 1800 for c, h in zip(self.calls, self.handling_s, strict=True)
            ]
            return max(o / n for o, n in zip(offered, agents, strict=True))

    policies: ClassVar[Mapping[str, Policy]] = {
        "erlang_c": team(erlang_c, own_first),
        "erlang_a": team(erlang_a, own_first),
        "square_root": team(square_root, own_first),
        "erlang_a_apart": team(erlang_a, own_only),
    }
    forecasts = (
        Forecast("How many calls wait or are being answered in 10 minutes?", "in_system", 10.0, (2, 4, 6)),
    )
    families = ("call_center",)

    @property
    def max_choices(self) -> int:
        return max(3, self.params.max_agents)

    def build(self):
        self.skills = letters(len(self.params.calls))
        self.teams = range(len(self.skills))
        self.rostered = list(self.params.agents or [0 for _ in self.teams])
        self.duty = [set(range(agents)) for agents in self.rostered]
        self.busy: list[dict[int, int]] = [{} for _ in self.teams]  # team -> agent -> skill of the call
        self.waiting: list[OrderedDict[int, float]] = [OrderedDict() for _ in self.teams]  # call -> arrival
        self.staying: set[int] = set()
        self.open, self.half_hour = True, 0
        self.asked = self.env.event()
        self.env.process(self.calendar())
        for skill, calls in enumerate(self.params.waiting_at_start):
            for call in range(-calls, 0):
                self.join(skill, call)
        for skill in self.teams:
            self.env.process(self.arrivals(skill))
        if len(self.skills) > 1:
            self.env.process(self.router())

    def calendar(self):
        for self.half_hour in itertools.count():
            if self.half_hour == self.params.half_hours:
                break
            if self.params.agents is None:
                for skill, name in enumerate(self.skills):
                    roster = Quantity(1, self.params.max_agents)
                    question = f"How many agents for skill {name}?"
                    self.rostered[skill] = yield self.decide(question, roster, ("staffing", skill))
            self.duty = [self.present(skill) for skill in self.teams]
            self.changed()
            yield self.env.timeout(HALF_HOUR)
        self.open = False
        self.changed()

    def present(self, skill: int) -> set[int]:
        """Returns the agents who turn up; the team's leader always does."""
        share, source = self.params.absence, f"absence in team {self.skills[skill]}"
        return {
            agent
            for agent in range(self.rostered[skill])
            if not agent or not share or self.draw(source, self.half_hour, uniform(0, 1), agent) >= share
        }

    def arrivals(self, skill: int):
        rates = tuple(self.params.calls[skill] * part / HALF_HOUR for part in self.params.profile)
        source = f"call of skill {self.skills[skill]}"
        for call in itertools.count():
            yield self.duration(source, call, piecewise_exponential(rates, HALF_HOUR, self.env.now))
            if not self.open:
                return
            self.tally("arrived", 1)
            self.join(skill, call)

    def join(self, skill: int, call: int):
        self.log("call", call=f"{self.skills[skill]}{call}")
        self.waiting[skill][call] = self.env.now
        self.changed()
        if self.params.patience_s is not None and call in self.waiting[skill]:
            self.env.process(self.hang_up(skill, call))

    def hang_up(self, skill: int, call: int):
        patience = exponential(self.params.patience_s / 60)
        yield self.duration(f"patience of skill {self.skills[skill]}", call, patience)
        came = self.waiting[skill].pop(call, None)
        if came is not None:
            self.log("hang up", call=f"{self.skills[skill]}{call}")
            self.charge("abandonment", self.params.abandonment_cost)
            self.tally("time_in_system", self.env.now - came)
            self.tally_wait(came, answered=False)
            self.changed()

    def tally_wait(self, came: float, answered: bool):
        wait = (self.env.now - came) * 60
        self.tally("wait", wait > 0)
        self.tally("wait_in_queue_s", wait)
        self.tally("abandon", not answered)
        if answered:
            self.tally("wait_of_answered_s", wait)
        for within in self.params.within_s:
            self.tally(f"service_level_{within:g}s", answered and wait <= within)

    def changed(self):
        """Gives free agents their own team's calls, unless other calls wait as well; updates the costs."""
        self.staying.clear()
        for skill, waiting in enumerate(self.waiting):
            while waiting and self.free(skill) and not self.others(skill):
                self.start(skill, skill)
        waiting = sum(map(len, self.waiting))
        working = sum(map(len, self.busy))
        paid = sum(self.rostered) if self.open else working  # after closing agents leave as they get free
        self.cost_rate("staff", self.params.staff_cost / HALF_HOUR * paid)
        self.cost_rate("waiting", self.params.waiting_cost * waiting)
        self.level("in_queue", waiting)
        self.level("in_system", waiting + working)
        self.level("utilisation", working / max(1, sum(map(len, self.duty))))
        if not self.asked.triggered:
            self.asked.succeed()

    def free(self, skill: int) -> set[int]:
        return self.duty[skill] - self.busy[skill].keys()

    def others(self, skill: int) -> bool:
        return any(waiting for other, waiting in enumerate(self.waiting) if other != skill)

    def router(self):
        while True:
            helpers = (s for s in self.teams if self.others(s) and s not in self.staying and self.free(s))
            helper = next(helpers, None)
            if helper is None:
                self.asked = self.env.event()
                yield self.asked
                continue
            name = self.skills[helper]
            question = f"Which call does a free agent of team {name} take?"
            calls = partial(self.takeable, helper)
            skill = yield self.decide(question, calls, ("routing", helper), priority=1)
            if skill is None:
                self.staying.add(helper)
            else:
                self.start(helper, skill)
                self.changed()

    def takeable(self, helper: int) -> dict[str, int | None]:
        """Returns the choices of a free agent: its own skill first; without calls of it, it may stay free."""
        order = sorted(self.teams, key=lambda skill: skill != helper)
        calls: dict[str, int | None] = {
            self.skills[s]: s for s in order if self.waiting[s] and self.free(helper)
        }
        return calls if self.skills[helper] in calls else {**calls, STAY: None}

    def start(self, team: int, skill: int):
        call, came = self.waiting[skill].popitem(last=False)
        self.tally_wait(came, answered=True)
        agent = min(self.free(team))
        self.busy[team][agent] = skill
        self.log("answer", call=f"{self.skills[skill]}{call}", agent=f"{self.skills[team]}{agent}")
        self.env.process(self.handle(team, agent, skill, came))

    def handle(self, team: int, agent: int, skill: int, came: float):
        rate = 60 / self.params.handling_s[skill] / (1.0 if team == skill else self.params.helping_factor)
        yield self.poisson(f"agent {agent} of {self.skills[team]} on {self.skills[skill]}", rate)
        del self.busy[team][agent]
        self.tally("time_in_system", self.env.now - came)
        self.changed()

    def observe(self, decision: Decision) -> dict:
        kind, skill = decision.about
        params, part = self.params, self.params.profile[self.half_hour % len(self.params.profile)]
        return {
            "staffing": int(kind == "staffing"),
            "skill": skill,
            "half_hour": self.half_hour + 1,
            "half_hours": params.half_hours or 0,
            "calls": [round(calls * part, 1) if self.open else 0.0 for calls in params.calls],
            "handling_s": list(params.handling_s),
            "helping_factor": params.helping_factor,
            "patience_s": params.patience_s or 0.0,
            "absence": params.absence,
            "staff_cost": params.staff_cost,
            "waiting_cost": params.waiting_cost,
            "abandonment_cost": params.abandonment_cost,
            "rostered": list(self.rostered),
            "free": [len(self.free(team)) for team in self.teams],
            "busy": [len(busy) for busy in self.busy],
            "waiting": [len(waiting) for waiting in self.waiting],
        }

    def fingerprint(self):
        return (
            tuple(self.rostered),
            *(frozenset(duty) for duty in self.duty),
            *(frozenset(busy.items()) for busy in self.busy),
            *(tuple(waiting) for waiting in self.waiting),
            frozenset(self.staying),
        )

    @classmethod
    def experiment(cls, case: KnownCase) -> Experiment:
        from simdistill.simulators.references.call_center import experiment

        return experiment(case)
