"""The conformance check: a sound model passes, and each way to break one is told with what to do."""

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, TypedDict

import numpy as np
import pytest

from simdistill.checker.check import CHECKS, CheckError, check_simulator, inspect_simulator
from simdistill.errors import InputError
from simdistill.simulation import Forecast, Policy, ProcessModel, deterministic, exponential, gamma


class Desk(ProcessModel):
    """Customers arrive; a doorman lets each in or sends it away; one clerk serves, in order of arrival."""

    policies: ClassVar[Mapping[str, Policy]] = {"all": lambda state, choices: choices[0]}
    mean: ClassVar[float] = 0.8
    kept: ClassVar[int] = 3

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
            yield from self.customer(customer)

    def customer(self, customer: int):
        if len(self.queue) < self.kept and (yield self.decide("Let in?", ["in", "away"])) == "in":
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
        return self.duration("service", customer, exponential(self.mean))

    def count(self):
        self.cost_rate("waiting", len(self.queue))
        self.level("in_system", len(self.queue) + self.busy)

    def observe(self, decision) -> Any:
        return {"waiting": len(self.queue), "busy": self.busy}


def found(simulator: type[ProcessModel], **options: Any) -> dict[str, str]:
    """Check -> what it says."""
    report = inspect_simulator(simulator, **options)
    told: dict[str, str] = {}
    for problem in report.problems:
        told[problem.check] = f"{told.get(problem.check, '')}{problem}"
    if "<locals>" in simulator.__qualname__:
        assert "it is defined in a function" in told.pop("workers")
    return told


def only(simulator: type[ProcessModel], check: str, **options: Any) -> str:
    """What the one check says that finds something."""
    told = found(simulator, **options)
    assert list(told) == [check], told
    return told[check]


def test_a_sound_model_passes():
    report = check_simulator(Desk)
    assert report.problems == () and report.checks == tuple(CHECKS)
    assert "fingerprint() isn't there" in " ".join(report.notes)
    assert str(report).startswith("Desk: no problems")


def test_durations_with_a_memory_pass(repairs):
    assert found(repairs) == {}


class Unlucky(Desk):
    def observe(self, decision):
        return {"waiting": np.int64(len(self.queue)), "busy": self.busy}

    def count(self):
        super().count()
        self.tally("ratio", math.nan)


def test_all_problems_are_told_at_once():
    with pytest.raises(CheckError) as caught:
        check_simulator(Unlucky)
    report = caught.value.report
    assert [problem.check for problem in report.problems] == ["state", "cost"]
    assert isinstance(caught.value, InputError)
    message = str(caught.value)
    assert message.startswith("Unlucky: 2 problems\n")
    assert "state['waiting'] is" in message and ".item()" in message
    assert "ratio is nan" in message


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"when": {1, 2}}, r"state['when'] is {1, 2}, a set"),
        ({"when": [0, math.inf]}, r"state['when'][1] is inf"),
        ({"queues": {0: 1}}, "has the key 0"),
        ({"queues": np.zeros(2)}, ".tolist()"),
        ([1, 2], "not a dict"),
    ],
)
def test_the_state_is_not_json(state, told):
    class Shows(Desk):
        def observe(self, decision):
            return state

    assert told in only(Shows, "state")


class HandsOut(Desk):
    def observe(self, decision):
        return {"waiting": [*self.queue[:3], *[0] * (3 - len(self.queue))], "busy": self.seen}

    def build(self):
        super().build()
        self.seen = [0]

    def count(self):
        super().count()
        self.seen[0] = self.busy


class Restless(Desk):
    def observe(self, decision):
        self.looks = getattr(self, "looks", 0) + 1
        return {"looks": self.looks}


@pytest.mark.parametrize(
    ("simulator", "told"),
    [
        (HandsOut, "return a copy"),
        (Restless, "something else when it looks twice"),
    ],
)
def test_the_state_misleads(simulator, told):
    assert told in found(simulator)["state"]


class Queue(Desk):
    def observe(self, decision):
        first = "nobody" if not self.queue else "odd" if self.queue[0] % 2 else "even"
        return {"waiting": list(self.queue), "first": first, "last": self.queue[-1] if self.queue else None}


class Mixes(Desk):
    def observe(self, decision):
        return {"waiting": len(self.queue) or "nobody"}


class Undeclared(Queue):
    class observes(TypedDict):
        first: Literal["odd", "even"]


class Names(Desk):
    def observe(self, decision):
        return {"waiting": len(self.queue), "visitor": f"visitor at {self.env.now}"}


@pytest.mark.parametrize(
    ("simulator", "told"),
    [
        (Mixes, "the state's waiting = "),
        (Undeclared, "the state's first = 'nobody' can't be encoded: expected one of 'odd', 'even'"),
        (Names, "the state's visitor takes more than 50 different texts"),
    ],
)
def test_the_state_can_not_be_encoded(simulator, told):
    assert told in found(simulator)["encoding"]


def test_texts_missing_values_and_lists_of_varying_length_can_be_encoded():
    assert "encoding" not in found(Queue)


class ReusesKey(Desk):
    def service(self, customer):
        return self.duration("service", customer % 10, exponential(self.mean))


class TwoRates(Desk):
    def service(self, customer):
        return self.poisson("service", 1.0 + len(self.queue))


class SharedSource(Desk):
    def service(self, customer):
        return self.poisson("arrival", 1.25)


@pytest.mark.parametrize(
    ("simulator", "told"),
    [
        (ReusesKey, "visit=…"),
        (TwoRates, "'service' has several rates"),
        (SharedSource, "'arrival' is a source of poisson() and of duration()"),
    ],
)
def test_a_stream_key_is_reused(simulator, told):
    assert told in only(simulator, "streams")


class CountsServed(Desk):
    """The service's number is how many were let in before."""

    served = 0

    def service(self, customer):
        self.served += 1
        return self.duration("service", self.served, exponential(self.mean))


class CountsDraws(Desk):
    """One counter numbers all draws, whatever they are for."""

    def build(self):
        self.counter = itertools.count()
        super().build()

    def duration(self, source, entity, distribution, visit=0):
        return super().duration("any", next(self.counter), distribution, visit)


@pytest.mark.parametrize("simulator", [CountsServed, CountsDraws])
def test_a_stream_key_depends_on_decisions(simulator):
    told = only(simulator, "streams")
    assert "counted by something that decisions change" in told and "arrival's index" in told


class Global(Desk):
    def service(self, customer):
        return self.env.timeout(random.random())


class OnTheClass(Desk):
    seen: ClassVar[list[int]] = []

    def observe(self, decision):
        return {"seen": len(self.seen)}

    def join(self, customer):
        self.seen.append(customer)
        super().join(customer)


def test_the_same_seed_gives_two_runs():
    assert "the same seed gives two runs: at decision" in found(Global)["same seed, same run"]
    assert "not on the class" in found(OnTheClass)["same seed, same run"]


class OwnGenerator(Desk):
    def build(self):
        self.random = np.random.default_rng(self.seed_path)
        super().build()

    def service(self, customer):
        return self.env.timeout(self.random.exponential(self.mean))


def test_a_generator_of_its_own_is_reported():
    assert "with the same numbers and another path" in found(OwnGenerator)["same seed, same run"]


class FixedSeed(Desk):
    def build(self):
        self.random = random.Random(1)
        super().build()

    def duration(self, source, entity, distribution, visit=0):
        return self.env.timeout(self.random.expovariate(1.0))


class Regular(Desk):
    """Nothing is random, and that is right."""

    def duration(self, source, entity, distribution, visit=0):
        return super().duration(source, entity, deterministic(1.0), visit)


def test_a_different_seed_gives_the_same_run():
    assert "a different seed gives the same run" in found(FixedSeed)["other seed, other run"]
    assert "deterministic=True" in only(Regular, "other seed, other run")
    assert found(Regular, deterministic=True) == {}


class AsksByTheEnd(Desk):
    """How many questions there are depends on how long the running service will still last."""

    def customer(self, customer):
        if self.busy and self.ends - self.env.now > 0.5:
            return
        yield from super().customer(customer)

    def service(self, customer):
        timeout: Any = super().service(customer)
        self.ends = self.env.now + timeout._delay
        return timeout


def test_a_branch_does_not_replay():
    assert "a branch doesn't replay: " in found(AsksByTheEnd)["branches"]


class TellsTheEnd(AsksByTheEnd):
    customer = Desk.customer

    def observe(self, decision):
        return {"waiting": len(self.queue), "ends": self.ends if self.busy else 0.0}


def test_the_state_tells_the_future():
    assert "reveals the future" in only(TellsTheEnd, "branches")


class KnowsService(Desk):
    """A service time is drawn as a known number, though nobody is told."""

    def service(self, customer):
        return self.env.timeout(self.draw("service", customer, gamma(2.0, self.mean)))


class KnowsAll(Desk):
    """All service times are drawn at the beginning."""

    def build(self):
        self.times = [self.draw("service", customer, exponential(self.mean)) for customer in range(500)]
        super().build()

    def service(self, customer):
        return self.env.timeout(self.times[customer])


class KnowsPatience(Desk):
    """How long a customer would wait is drawn when it arrives, and decides much later what waiting costs."""

    def customer(self, customer):
        patience = self.draw("patience", customer, exponential(5.0))
        yield from super().customer(customer)
        if customer in self.queue:
            self.charge("impatience", patience)


@pytest.mark.parametrize(
    ("simulator", "source"), [(KnowsService, "service"), (KnowsAll, "service"), (KnowsPatience, "patience")]
)
def test_equal_states_do_not_have_equal_values(simulator, source):
    told = found(simulator)["no clairvoyance"]
    assert f"depends on '{source}'" in told and "self.duration() when it begins" in told


class TellsPatience(KnowsPatience):
    def customer(self, customer):
        self.patience = self.draw("patience", customer, exponential(5.0))
        yield from super(KnowsPatience, self).customer(customer)
        if customer in self.queue:
            self.charge("impatience", self.patience)

    def observe(self, decision):
        return {"waiting": len(self.queue), "busy": self.busy, "patience": self.patience}


def test_what_is_shown_may_be_known():
    assert found(TellsPatience) == {}


class HidesMood(Desk):
    """Once somebody was sent away, whoever comes in costs more; the state doesn't show it."""

    angry = False

    def charge(self, name, amount):
        super().charge(name, amount)
        self.angry = self.angry or name == "sent away"

    def join(self, customer):
        self.charge("mood", 10.0 * self.angry)
        super().join(customer)

    def service(self, customer):
        self.serving = (customer, self.env.now)
        return super().service(customer)


class HidesMoodRightly(HidesMood):
    def fingerprint(self):
        return self.angry, self.busy and self.serving, tuple(self.queue)


def test_a_state_that_hides_what_matters_is_reported():
    told = only(HidesMood, "equal states, equal values")
    assert "differs more between them than chance allows" in told
    assert found(HidesMoodRightly) == {}


class Backwards(Desk):
    def join(self, customer):
        super().join(customer)
        if customer > 3:
            event = self.env.event()
            event._ok, event._value = True, None
            self.env.schedule(event, delay=-1.0)


class Negative(Desk):
    def service(self, customer):
        return self.env.timeout(1.0 - 0.5 * customer)


@pytest.mark.parametrize(
    ("simulator", "told"), [(Backwards, "time went from"), (Negative, "Negative delay -")]
)
def test_time_goes_backwards(simulator, told):
    assert told in found(simulator)["time"]


class Loses(Desk):
    def join(self, customer):
        if customer == 7:
            self.busy = self.busy  # and the customer is forgotten
        else:
            super().join(customer)


class LosesWithTimes(Loses):
    def tally(self, name, value):
        super().tally("time_in_system" if name == "left" else name, value)


@pytest.mark.parametrize("simulator", [Loses, LosesWithTimes])
def test_an_entity_gets_lost(simulator):
    told = only(simulator, "entities")
    assert "got lost: between time" in told and "1 less than arrivals and departures account for" in told


class Uncounted(Desk):
    def level(self, name, value):
        pass


def test_what_cannot_be_checked_is_noted():
    assert "'time_in_system' (or 'left')" in " ".join(check_simulator(Uncounted).notes)


class NanCost(Desk):
    def count(self):
        self.cost_rate("waiting", math.nan if len(self.queue) > 1 else 0.0)
        self.level("in_system", len(self.queue) + self.busy)


class NanAtTheEnd(Desk):
    def final_cost(self):
        return math.nan


@pytest.mark.parametrize(
    ("simulator", "told"), [(NanCost, "cost 'waiting' is nan"), (NanAtTheEnd, "final_cost() is nan")]
)
def test_cost_is_nan(simulator, told):
    assert told in only(simulator, "cost")


class NoChoice(Desk):
    def customer(self, customer):
        yield self.decide("Which way?", ["in", "away"] if customer != 3 else [])


class TooMany(Desk):
    def customer(self, customer):
        yield self.decide("Which way?", ["in", "away", "around"])


class NumbersAsLabels(Desk):
    def customer(self, customer):
        yield self.decide("How many?", [1, 2])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("simulator", "told"),
    [
        (NoChoice, "offers no choice"),
        (TooMany, "set max_choices"),
        (NumbersAsLabels, "labels are strings"),
    ],
)
def test_choices_are_empty_too_many_or_no_text(simulator, told):
    assert told in found(simulator)["choices"]


class Silent(Desk):
    max_silent_events: ClassVar[int] = 1000

    def customer(self, customer):
        if customer < 0:
            yield from super().customer(customer)


class Ends(Desk):
    def arrivals(self):
        yield self.duration("arrival", 0, exponential(1.0))


class ForgetsYield(Desk):
    def arrivals(self):
        self.decide("Let in?", ["in", "away"])
        yield self.duration("arrival", 0, exponential(1.0))


@pytest.mark.parametrize(
    ("simulator", "told"),
    [
        (Silent, "events passed without a decision"),
        (Ends, "a decision never comes"),
        (ForgetsYield, "no process waits for its answer"),
    ],
)
def test_a_decision_never_comes(simulator, told):
    assert told in only(simulator, "decisions")


class Fails(Desk):
    def join(self, customer):
        if customer == 5:
            raise KeyError("clerk")
        super().join(customer)


def test_a_failing_process_is_told_with_its_line():
    told = found(Fails)["runs"]
    assert "KeyError: 'clerk' at time" in told
    assert "test_check.py, line" in told and 'raise KeyError("clerk")' in told


def test_missing_methods_are_reported():
    class Empty(ProcessModel):
        pass

    assert "needs a method build(self)" in found(Empty)["runs"]


class ForgetsQueue(Desk):
    def fingerprint(self):
        return (self.busy,)


class Unhashable(Desk):
    def fingerprint(self):
        return [self.busy, self.queue]


@pytest.mark.parametrize(
    ("simulator", "told"), [(ForgetsQueue, "leaves something out"), (Unhashable, "can't be hashed")]
)
def test_a_fingerprint_that_is_wrong(simulator, told):
    assert told in found(simulator)["fingerprint"]


class BadFallback(Desk):
    def fallback(self, decision):
        return "later"


def test_a_fallback_that_is_illegal_itself():
    assert "let fallback(decision) return one of" in only(BadFallback, "illegal answers")


def test_policies_are_tried():
    def fails(state: dict, choices: Sequence[Any]) -> Any:
        return choices[state["nobody"]]

    def illegal(state: dict, choices: Sequence[str]) -> str:
        return "maybe"

    def changes(state: dict, choices: Sequence[str]) -> str:
        state["waiting"] = 0
        return choices[0]

    class Advised(Desk):
        policies: ClassVar[Mapping[str, Policy]] = {"fails": fails, "illegal": illegal, "changes": changes}

    told = only(Advised, "policies")
    assert "policy 'fails' fails in" in told and "KeyError: 'nobody'" in told
    assert "policy 'illegal' answers 'maybe'" in told
    assert "policy 'changes' changes the state" in told


def test_only_process_models_can_be_checked():
    with pytest.raises(InputError, match="needs a subclass of ProcessModel"):
        check_simulator(dict)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"Desk\.rate"):
        check_simulator(Desk, {"rate": 1.0})


def test_a_policy_that_workers_cannot_have_is_noted():
    notes = check_simulator(Desk).notes
    assert sum("policy 'all' can't be sent to worker processes" in note for note in notes) == 1


def test_a_forecast_of_what_is_never_measured_is_reported():
    class Foresighted(Desk):
        forecasts = (
            Forecast("How many are inside in 5 minutes?", "in_system", 5.0, (1, 2)),
            Forecast("How many are inside in 5 minutes?", "inside", 5.0, (1, 2)),
            Forecast("How many are served in 5 minutes?", "served", 5.0, (1, 2), reading="sum"),
        )

    told = [
        problem.message for problem in inspect_simulator(Foresighted).problems if problem.check == "forecasts"
    ]
    assert len(told) == 2 and all("which a run never set" in message for message in told)
    assert "'inside'" in told[0] and "'in_system'" in told[0] and "'served'" in told[1]
