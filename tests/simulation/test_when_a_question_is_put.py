"""A question put at once works like the line of the model that it replaces; one put at the end sees all
that happens at its instant."""

import pytest
import simpy

from simdistill.adapt import decide, process_model
from simdistill.errors import InputError
from simdistill.simulation import WAIT, Parameters, ProcessModel, exponential
from simdistill.simulation.rollout import run_policy

DAYS = 40


def reorder(state, choices):
    """The rule of the original model: order up to 10 whenever 4 or fewer are there or on their way."""
    return choices[-1] if state["stock"] + state["ordered"] <= 4 else choices[0]


class Sites(ProcessModel):
    """Sites with stock: at each review, demand comes at the same instant; orders share one van."""

    class Params(Parameters):
        sites: int = 3
        asks: str = "once"

    def build(self):
        self.seen = []
        self.stock = [10] * self.params.sites
        self.ordered = [0] * self.params.sites
        self.van = simpy.Resource(self.env)
        self.morning = self.env.event()
        for site in range(self.params.sites):
            self.env.process(self.reviews(site))
        self.env.process(self.clock())
        for site in range(self.params.sites):
            self.env.process(self.demand(site))

    def clock(self):
        for _ in range(DAYS):
            yield self.env.timeout(1.0)
            self.morning.succeed()
            self.morning = self.env.event()

    def demand(self, site):
        while True:
            yield self.morning
            taken = min(self.stock[site], 2 + site)
            self.stock[site] -= taken
            self.cost_rate(f"stock {site}", self.stock[site])

    def reviews(self, site):
        for day in range(DAYS):
            yield self.morning
            choices, about = {"no": 0, "yes": 6}, site
            if self.params.asks == "rule":
                state = self.observe(simpy.Event(self.env), site)
                amount = choices[reorder(state, list(choices))]
            else:
                amount = yield self.decide("Order?", choices, about, at=self.params.asks)
            self.seen.append((self.env.now, site, tuple(self.stock), tuple(self.ordered), amount))
            if amount:
                self.env.process(self.delivery(site, day, amount))

    def delivery(self, site, day, amount):
        self.ordered[site] += amount
        with self.van.request() as van:
            yield van
            yield self.duration("way", day * 10 + site, exponential(0.5))
        self.ordered[site] -= amount
        self.stock[site] += amount
        self.charge("orders", 1.0)

    def observe(self, decision, site=None):
        site = decision.about if site is None else site
        return {"stock": self.stock[site], "ordered": self.ordered[site]}


def trajectory(asks):
    model = Sites({"asks": asks}, (0, 1))
    run_policy(model, reorder, 100.0)
    return model.seen, model.cost(100.0), model.env.now


def test_the_original_rule_as_a_policy_is_the_original_model():
    original = trajectory("rule")
    assert len(original[0]) == 3 * DAYS and any(amount for *_, amount in original[0])
    assert trajectory("once") == original
    assert trajectory("end") != original


def test_models_ask_at_once_unless_they_say_otherwise(process_of):
    def asks(model):
        yield model.env.timeout(1.0)
        yield model.decide("Which?", ["A", "B"])

    def changes(model):
        yield model.env.timeout(1.0)
        model.count += 1

    for seen, attributes in ((0, {}), (0, {"decides_at": "once"}), (1, {"decides_at": "end"})):
        model = process_of(asks, changes, **attributes)()
        assert model.state(model.advance()) == {"count": seen}


def test_functions_ask_at_once_unless_told_otherwise():
    def door(env):
        log = []

        def changes():
            yield env.timeout(1.0)
            log.append(1)

        def asks(at):
            yield env.timeout(1.0)
            yield decide(env, "In?", ["yes", "no"], lambda: {"log": len(log)}, at=at)

        env.process(asks(None))
        env.process(changes())
        env.process(asks("end"))

    def seen(simulator):
        model, found = simulator(), []
        while (decision := model.advance()) is not None:
            found.append(model.state(decision)["log"])
            model.answer("yes")
        return found

    assert seen(process_model(door)) == [0, 1]
    assert seen(process_model(door, decides_at="end")) == [1, 1]


def test_those_who_wait_for_one_event_go_on_in_their_order(process_of):
    def build(self):
        self.log, self.count = [], 0
        self.bell = self.env.event()
        for name in "abc":
            self.env.process(hears(self, name))
        self.env.process(rings(self))

    def hears(model, name):
        yield model.bell
        model.log.append(name)
        model.log.append((yield model.decide(name, ["A", "B"])))
        model.log.append((yield model.decide(name, ["C", "D"])))

    def rings(model):
        yield model.env.timeout(1.0)
        model.bell.succeed()

    model = process_of(build=build)()
    asked = []
    while (decision := model.advance()) is not None:
        asked.append((decision.question, list(model.log)))
        model.answer(decision.labels[0])
    assert "".join(model.log) == "aACbACcAC"
    assert [name for name, _ in asked] == list("aabbcc")
    assert asked[2] == ("b", ["a", "A", "C", "b"])


def test_two_who_wait_for_one_answer_ask_in_turn(process_of):
    def build(self):
        self.log, self.count = [], 0
        self.shared = self.decide("Which?", ["A", "B"])
        self.env.process(waits(self, "first"))
        self.env.process(waits(self, "second"))

    def waits(model, name):
        yield model.env.timeout(0.0) & model.shared
        model.log.append(name)
        model.log.append((yield model.decide(name, ["C", "D"])))

    model = process_of(build=build)()
    while (decision := model.advance()) is not None:
        model.answer(decision.labels[0])
    assert model.log == ["first", "C", "second", "C"]


def test_waiting_asks_again_after_the_next_event(process_of):
    def asks(model):
        yield model.env.timeout(1.0)
        model.log.append((yield model.decide("Which?", ["go", WAIT])))

    def changes(model):
        yield model.env.timeout(1.0)
        for _ in range(3):
            model.count += 1
            yield model.env.timeout(0.0 if model.count == 1 else 1.0)

    model, seen = process_of(asks, changes)(), []
    for label in (WAIT, WAIT, WAIT, "go"):
        seen.append((model.env.now, model.state(model.advance())["count"]))
        model.answer(label)
    assert [count for _, count in seen] == [0, 1, 2, 3]


def test_an_error_of_an_event_is_still_told(process_of):
    def asks(model):
        try:
            yield model.broken
        except ValueError:
            model.log.append("heard")
            yield model.decide("Which?", ["A", "B"])

    def build(self):
        self.log, self.count = [], 0
        self.broken = self.env.event()
        self.env.process(asks(self))
        self.env.process(asks(self))
        self.broken.fail(ValueError("broken"))

    model = process_of(build=build)()
    while model.advance() is not None:
        model.answer("A")
    assert model.log == ["heard", "heard"]


def test_another_word_is_refused(process_of):
    def asks(model):
        yield model.decide("Which?", ["A", "B"], at="now")

    with pytest.raises(Exception, match='at must be "once" or "end", got \'now\'') as caught:
        process_of(asks)().advance()
    assert isinstance(caught.value, InputError) or "InputError" in str(caught.value)
