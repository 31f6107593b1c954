"""The contract passes for a sound model, and fails for each way to break one of its promises."""

import inspect
import itertools
import random
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import ConfigDict, Field

from simdistill.errors import InputError, ProcessError
from simdistill.simulation import Forecast, Parameters, Policy, ProcessModel, deterministic, exponential
from simdistill.testing import ProcessModelContract


def all_in(state: dict, choices: Any) -> str:
    return choices[0]


class Desk(ProcessModel):
    """A doorman lets customers in or sends them away; one clerk serves in order of arrival."""

    class Params(Parameters):
        mean: float = Field(0.8, gt=0)

    policies: ClassVar[Mapping[str, Policy]] = {"all_in": all_in}
    forecasts = (Forecast("How many are inside in 3 minutes?", "in_system", 3.0, (1, 2)),)

    def build(self):
        self.queue: list[int] = []
        self.busy = 0
        self.woken = self.env.event()
        self.level("in_system", 0)
        self.env.process(self.arrivals())
        self.env.process(self.clerk())

    def arrivals(self):
        for customer in itertools.count():
            yield self.duration("arrival", customer, exponential(1.0))
            if len(self.queue) < 3 and (yield self.decide("Let in?", ["in", "away"])) == "in":
                self.tally("arrived", 1)
                self.join(customer)
            else:
                self.charge("sent away", 2.0)

    def join(self, customer: int):
        self.queue.append(customer)
        self.count()
        if not self.woken.triggered:
            self.woken.succeed()

    def clerk(self):
        while True:
            if not self.queue:
                self.woken = self.env.event()
                yield self.woken
            customer, self.busy = self.queue.pop(0), 1
            yield self.service(customer)
            self.busy = 0
            self.tally("left", 1)
            self.count()

    def service(self, customer: int):
        return self.duration("service", customer, exponential(self.params.mean))

    def count(self):
        self.cost_rate("waiting", len(self.queue))
        self.level("in_system", len(self.queue) + self.busy)

    def observe(self, decision) -> dict:
        return {"waiting": len(self.queue), "busy": self.busy}

    def fingerprint(self):
        return tuple(self.queue), self.busy


class TestDesk(ProcessModelContract):
    simulator = Desk
    parameters: ClassVar = {"mean": 0.9}
    wrong_parameters: ClassVar = {"mean": 0.0}

    def check_end(self, model: Any):
        assert len(model.queue) <= 3


class Global(Desk):
    def service(self, customer):
        return self.env.timeout(random.random())


class FixedSeed(Desk):
    def duration(self, source, entity, distribution, visit=0):
        return super().duration(source, entity, deterministic(1.0), visit)


class CountsServed(Desk):
    served = 0

    def service(self, customer):
        self.served += 1
        return super().service(self.served)


class Arrays(Desk):
    def observe(self, decision):
        return {"waiting": np.array(self.queue), "busy": self.busy}


class Mixes(Desk):
    def observe(self, decision):
        return {"waiting": len(self.queue) or "nobody", "busy": self.busy}


class Miscounts(Desk):
    def answer(self, label):
        legal = label in ("in", "away")
        super().answer(label)
        self.illegal_answers += not legal


class IllegalFallback(Desk):
    def fallback(self, decision):
        return "nobody"


class Loses(Desk):
    def join(self, customer):
        if customer % 7:
            super().join(customer)


class IgnoresUnknown(Desk):
    class Params(Parameters):
        model_config = ConfigDict(extra="ignore")


class ClampsWrong(Desk):
    class Params(Parameters):
        mean: float = 0.8


class AsksByTheEnd(Desk):
    """How many questions there are depends on how long the service under way will still last."""

    ends = 0.0

    def arrivals(self):
        for customer in itertools.count():
            yield self.duration("arrival", customer, exponential(1.0))
            if self.busy and self.ends - self.env.now > 0.5:
                continue
            if (yield self.decide("Let in?", ["in", "away"])) == "in":
                self.tally("arrived", 1)
                self.join(customer)

    def service(self, customer):
        timeout: Any = super().service(customer)
        self.ends = self.env.now + timeout._delay
        return timeout


class KnowsAll(Desk):
    def build(self):
        self.times = [self.draw("service", customer, exponential(0.8)) for customer in range(500)]
        super().build()

    def service(self, customer):
        return self.env.timeout(self.times[customer])


class Discounts(Desk):
    """The total cost isn't the sum of its parts."""

    def cost(self, time=None):
        return 0.5 * super().cost(time)


class PaysOnLooking(Desk):
    """Each question about the cost adds to it."""

    def cost(self, time=None):
        self.charge("looking", 1.0)
        return super().cost(time)


class AlwaysEnded(Desk):
    @property
    def ended(self):
        return True


class Huge(Desk):
    """Shows a number that no observation may have."""

    def observe(self, decision):
        return {"waiting": 2e9 + len(self.queue), "busy": self.busy}


class Undecided(Desk):
    policies: ClassVar[Mapping[str, Policy]] = {"neither": lambda state, choices: "neither"}


class Unmeasured(Desk):
    forecasts = (Forecast("How long is the queue in 3 minutes?", "queue", 3.0, (1, 2)),)


BROKEN = [
    (
        Global,
        "test_the_same_seed_and_answers_replay_the_run_exactly",
        "same seed and the same answers give two runs",
    ),
    (FixedSeed, "test_another_seed_gives_another_run", "three seeds give the same run"),
    (
        CountsServed,
        "test_different_answers_meet_the_same_random_numbers",
        "counted by something that decisions change",
    ),
    (Arrays, "test_every_state_is_json_with_finite_numbers_and_can_be_encoded", "not JSON"),
    (
        Mixes,
        "test_every_state_is_json_with_finite_numbers_and_can_be_encoded",
        "waiting = .* can't be encoded",
    ),
    (Huge, "test_gymnasiums_checker_has_nothing_to_say", "not within the observation space"),
    (
        Miscounts,
        "test_an_illegal_answer_is_counted_and_replaced_by_the_fallback",
        "illegal answer 1 is miscounted",
    ),
    (
        IllegalFallback,
        "test_an_illegal_answer_is_counted_and_replaced_by_the_fallback",
        "fallback\\(\\) returned 'nobody'",
    ),
    (Loses, "test_random_answers_lose_no_entity_and_keep_costs_finite", "in_system at time"),
    (
        IgnoresUnknown,
        "test_an_unknown_or_wrong_parameter_is_refused_by_name",
        "accepts the parameter no_such_parameter = 1",
    ),
    (ClampsWrong, "test_an_unknown_or_wrong_parameter_is_refused_by_name", "accepts the parameter mean = -1"),
    (AsksByTheEnd, "test_a_branch_comes_back_to_its_decision", "a branch doesn't replay"),
    (KnowsAll, "test_a_branch_does_not_know_the_future", "every future depends on 'service'"),
    (Discounts, "test_the_cost_is_the_weighted_sum_of_the_costs", "its parts sum to"),
    (PaysOnLooking, "test_rewards_add_up_to_minus_the_cost", "rewards sum to"),
    (AlwaysEnded, "test_the_horizon_truncates_an_episode", "must be truncated"),
    (Undecided, "test_policies_answer_with_legal_choices", "answers 'neither'"),
    (Undecided, "test_policies_can_be_sent_to_worker_processes", "can't be sent to worker processes"),
    (Unmeasured, "test_forecasts_can_be_read_off_futures", "has no level 'queue'"),
    (Loses, "test_check_simulator_finds_no_problem", "entities got lost"),
]


def contract(model: type[ProcessModel], **options: Any) -> Any:
    return type("Contract", (ProcessModelContract,), {"simulator": model, **options})()


@pytest.mark.parametrize(("model", "test", "message"), BROKEN)
def test_a_broken_promise_fails_its_test(model, test, message):
    with pytest.raises((AssertionError, InputError, ProcessError), match=message):
        getattr(contract(model, wrong_parameters={"mean": -1.0}), test)()


def test_every_promise_is_broken_by_some_model_here():
    tests = {name for name, _ in inspect.getmembers(ProcessModelContract) if name.startswith("test_")}
    assert {test for _, test, _ in BROKEN} == tests


def test_a_law_of_the_authors_own_is_checked():
    def check_end(self, model):
        raise AssertionError("broken law")

    with pytest.raises(AssertionError, match="broken law"):
        contract(Desk, check_end=check_end).test_random_answers_lose_no_entity_and_keep_costs_finite()


def test_what_is_not_random_or_not_forecast_is_left_out():
    with pytest.raises(pytest.skip.Exception, match="nothing is random"):
        contract(FixedSeed, deterministic=True).test_another_seed_gives_another_run()
    with pytest.raises(pytest.skip.Exception, match="no forecasts"):
        contract(type("Quiet", (Desk,), {"forecasts": ()})).test_forecasts_can_be_read_off_futures()
