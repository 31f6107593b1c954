"""One server, and a queue that not every job is let into: each served job pays, each waiting minute costs.

An example: arrivals 0.8 a minute, service rate 1, reward 10, waiting cost 1 a minute, 5 jobs inside. The next
job would gain by entering: 10 for six minutes. The optimum refuses it: it would keep later ones waiting.
"""

import itertools
import math
from collections import deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

from pydantic import Field, NonNegativeInt, PositiveFloat

from simdistill.mdp import DecisionProcess
from simdistill.simulation import (
    Decision,
    Experiment,
    Forecast,
    KnownCase,
    Parameters,
    Policy,
    ProcessModel,
    exponential,
)

ACCEPT, REFUSE = "yes", "no"


@lru_cache(maxsize=10_000)
def individual_threshold(service_rate: float, reward: float, waiting_cost: float) -> int:
    """Returns the smallest number of jobs inside at which a job itself gains nothing by entering.

    Naor, The Regulation of Queue Size by Levying Tolls, Econometrica 37 (1969).
    """
    return math.floor(reward * service_rate / waiting_cost + 1e-9)


@lru_cache(maxsize=10_000)
def social_threshold(arrival_rate: float, service_rate: float, reward: float, waiting_cost: float) -> int:
    """Returns the smallest number of jobs inside at which all jobs together gain nothing by another one.

    It is the largest n with sum over j < n of (n - j) load^j at most reward x service rate / waiting cost:
    Naor's condition in a form that also holds for a load of 1.
    """
    load, worth = arrival_rate / service_rate, reward * service_rate / waiting_cost + 1e-9
    threshold, powers = 0, 1.0  # powers: of the load, from 0 to the threshold, added up
    total = powers
    while total <= worth:
        threshold += 1
        powers += load**threshold
        total += powers
    return threshold


def individual(state: dict, choices: Sequence[str]) -> str:
    """Accepts a job if the job itself gains by entering."""
    threshold = individual_threshold(state["service_rate"], state["reward"], state["waiting_cost"])
    return ACCEPT if state["jobs"] < threshold else REFUSE


def social(state: dict, choices: Sequence[str]) -> str:
    """Accepts a job if all jobs together gain; no policy is better in the long run."""
    threshold = social_threshold(
        state["arrival_rate"], state["service_rate"], state["reward"], state["waiting_cost"]
    )
    return ACCEPT if state["jobs"] < threshold else REFUSE


def accept_all(state: dict, choices: Sequence[str]) -> str:
    """Accepts every job."""
    return ACCEPT


class Admission(ProcessModel):
    """Jobs arrive one by one; each is accepted to a single server's queue or refused.

    The cost is the waiting cost of the jobs inside plus the reward forgone with every refused job. It equals
    the waiting cost minus the rewards earned, plus the rewards of all arrivals, which no decision changes.
    """

    decides_at = "end"

    class Params(Parameters):
        arrival_rate: PositiveFloat = Field(0.8, description="jobs per minute")
        service_rate: PositiveFloat = Field(1.0, description="jobs per minute")
        reward: PositiveFloat = Field(10.0, description="reward for a job that is served")
        waiting_cost: PositiveFloat = Field(1.0, description="cost of a job's minute in the system")
        initial_jobs: NonNegativeInt = Field(0, description="jobs in the system at time 0")

        @property
        def load(self) -> float:
            """Arrival rate over service rate; where it is 1 or more, some jobs must be refused."""
            return self.arrival_rate / self.service_rate

    forecasts = (Forecast("How many jobs are in the system in 10 minutes?", "in_system", 10.0, (1, 3, 6)),)
    families = ("admission",)
    policies: ClassVar[Mapping[str, Policy]] = {
        "individual": individual,
        "social": social,
        "accept_all": accept_all,
    }

    def build(self):
        self.came = deque([0.0] * self.params.initial_jobs)
        self.numbers = deque(-job for job in range(1, self.params.initial_jobs + 1))  # of the jobs inside
        self.woken = self.env.event()
        self.note()
        self.env.process(self.serve())
        self.env.process(self.arrivals())

    def arrivals(self):
        between = exponential(1 / self.params.arrival_rate)
        for job in itertools.count():
            yield self.duration("arrival", job, between)
            answer = yield self.decide("Is the job accepted?", [ACCEPT, REFUSE], about={"job": job})
            self.tally("accepted", answer == ACCEPT)
            if answer == REFUSE:
                self.charge("rewards forgone", self.params.reward)
                continue
            self.tally("arrived", 1)
            self.came.append(self.env.now)
            self.numbers.append(job)
            self.note()
            if len(self.came) == 1:
                self.woken.succeed()

    def serve(self):
        while True:
            if not self.came:
                self.woken = self.env.event()
                yield self.woken
            yield self.poisson("service", self.params.service_rate)
            self.tally("time_in_system", self.env.now - self.came.popleft())
            self.log("departure", job=self.numbers.popleft())
            self.note()

    def note(self):
        """Records the waiting cost and the number of jobs after a change."""
        self.cost_rate("waiting", self.params.waiting_cost * len(self.came))
        self.level("in_system", len(self.came))

    def observe(self, decision: Decision) -> dict:
        return {**self.params.model_dump(exclude={"initial_jobs"}), "jobs": len(self.came)}

    def fallback(self, decision: Decision) -> str:
        return REFUSE

    def fingerprint(self):
        return len(self.came)

    @classmethod
    def markov(cls, params: Parameters | Mapping | None, size: int) -> DecisionProcess:
        """Returns the process embedded at arrivals, with at most `size` jobs inside."""
        from simdistill.simulators.references.admission import at_arrivals

        return at_arrivals(cls.parse(params), size)

    @classmethod
    def experiment(cls, case: KnownCase) -> Experiment:
        """Returns the experiment that reproduces a known case of admission."""
        from simdistill.simulators.references.admission import experiment

        return experiment(case)
