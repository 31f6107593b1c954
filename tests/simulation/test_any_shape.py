"""Models of every shape: classes, own environments and their subclasses, own runs, rules in the middle."""

import gc
import itertools
import pickle
import random
import threading
import weakref

import pytest
import simpy
from simpy import Environment

from simdistill import WAIT, ProcessModel, exponential, uniform
from simdistill.adapt import (
    charge,
    choose,
    cost_rate,
    decide,
    duration,
    final_cost,
    fingerprint,
    process_model,
    tally,
)
from simdistill.checker.check import inspect_simulator
from simdistill.envs.simulator_env import SimulatorEnv
from simdistill.errors import InputError, ProcessError
from simdistill.simulation.branching import what_if
from simdistill.simulation.event_log import recorded
from simdistill.simulation.rollout import replicate, run_policy
from simdistill.simulation.situations import Episode


class Desk:
    """A desk that lets customers in or sends them away; how it is asked, subclasses say."""

    def __init__(self, env, arrival_rate=1.0):
        self.env, self.arrival_rate = env, arrival_rate
        self.clerk, self.inside = simpy.Resource(env, 1), 0
        self.env.process(self.arrivals())

    def state(self):
        return {"inside": self.inside}

    def arrivals(self):
        for number in itertools.count():
            yield duration(self.env, "arrival", number, exponential(1 / self.arrival_rate))
            if (yield from self.rule()) == "in":
                self.env.process(self.customer(number))
            else:
                charge(self.env, "away", 2.0)

    def rule(self):
        return (yield decide(self.env, "Let in?", ["in", "away"], self.state))

    def customer(self, number):
        self.count(+1)
        with self.clerk.request() as turn:
            yield turn
            yield duration(self.env, "service", number, exponential(0.8))
        self.count(-1)

    def count(self, change):
        self.inside += change
        cost_rate(self.env, "inside", self.inside)


class ChoosingDesk(Desk):
    """Its rule is a plain function in the middle of the code."""

    def rule(self):
        return self.ask()
        yield

    def ask(self):
        return choose(self.env, "Let in?", ["in", "away"], self.state)


class CallbackDesk(ChoosingDesk):
    """Its rule is called in a callback."""

    def __init__(self, env, arrival_rate=1.0):
        super().__init__(env, arrival_rate)

    def arrivals(self):
        for number in itertools.count():
            event = duration(self.env, "arrival", number, exponential(1 / self.arrival_rate))
            event.callbacks.append(lambda event, number=number: self.arrived(number))
            yield event

    def arrived(self, number):
        if self.ask() == "in":
            self.env.process(self.customer(number))
        else:
            charge(self.env, "away", 2.0)


def by_function(env, arrival_rate=1.0):
    Desk(env, arrival_rate)


class OwnDesk(Desk):
    def __init__(self, arrival_rate: float = 1.0):
        super().__init__(Environment(), arrival_rate)

    def run(self, until=1e9):
        self.env.run(until=until)


class Hospital(simpy.Environment):
    """An environment of the author's, which knows its beds and says what happens."""

    def __init__(self, beds=1):
        super().__init__(initial_time=0)
        self.beds, self.steps = beds, 0

    def step(self):
        self.steps += 1
        super().step()


class OwnHospital(ChoosingDesk):
    def __init__(self, arrival_rate: float = 1.0):
        super().__init__(Hospital(), arrival_rate)


def by_own_run(arrival_rate=1.0):
    env = simpy.Environment()
    Desk(env, arrival_rate)
    env.run(until=500)
    env.run()


def by_environment_in_the_middle(arrival_rate=1.0, environment=None):
    CallbackDesk(environment, arrival_rate)


def shorter_queue(state, choices):
    return "in" if state["inside"] < 3 else "away"


ByClass = process_model(Desk)
ByFunction = process_model(by_function)
Choosing = process_model(ChoosingDesk, chooses=True)
Callback = process_model(CallbackDesk, chooses=True)
Own = process_model(OwnDesk, start="run", policies={"shorter_queue": shorter_queue})
OwnSubclass = process_model(OwnHospital)
OwnRun = process_model(by_own_run)
InTheMiddle = process_model(by_environment_in_the_middle, chooses=True)


class ByMethods(ProcessModel):
    """A process model whose rule is a plain method."""

    chooses = True

    def build(self):
        self.clerk, self.inside = simpy.Resource(self.env, 1), 0
        self.env.process(self.arrivals())

    def arrivals(self):
        for number in itertools.count():
            yield self.duration("arrival", number, exponential(1.0))
            if self.rule() == "in":
                self.env.process(self.customer(number))
            else:
                self.charge("away", 2.0)

    def rule(self):
        return self.choose("Let in?", ["in", "away"])

    def customer(self, number):
        self.inside += 1
        self.cost_rate("inside", self.inside)
        with self.clerk.request() as turn:
            yield turn
            yield self.duration("service", number, exponential(0.8))
        self.inside -= 1
        self.cost_rate("inside", self.inside)

    def observe(self, decision):
        return {"inside": self.inside}


SHAPES = [ByClass, Choosing, Callback, Own, OwnSubclass, OwnRun, InTheMiddle, ByMethods]
shapes = pytest.mark.parametrize("Shape", SHAPES, ids=lambda shape: shape.__name__)


@shapes
def test_every_shape_is_the_same_model(Shape):
    runs = [replicate(S, {}, shorter_queue, (5,), 10.0, 300.0) for S in (ByFunction, Shape)]
    assert runs[0] == runs[1] and runs[0].decisions > 200


@shapes
def test_every_shape_has_the_same_what_if_values(Shape):
    found = []
    for S in (ByFunction, Shape):
        episode = Episode(S({}, (3,)))
        for _ in range(4):
            here = episode.advance()
            assert here is not None
            episode.answer("in")
        found.append(what_if(S, here, shorter_queue, 8, 20.0))
    assert (found[0].differences_CK == found[1].differences_CK).all()


@shapes
def test_every_shape_passes_the_check(Shape):
    report = inspect_simulator(Shape)
    assert report.problems == () and report.unfinished == ()


@shapes
def test_every_shape_is_an_environment(Shape):
    env = SimulatorEnv(Shape, horizon=50.0)
    total, terminated, truncated = 0.0, False, False
    env.reset(seed=1)
    while not (terminated or truncated):
        _, reward, terminated, truncated, _ = env.step(0)
        total += float(reward)
    assert total < 0 and truncated


@pytest.mark.parametrize("Shape", [ByClass, Own, Choosing, OwnSubclass])
def test_classes_are_sent_by_name(Shape):
    assert pickle.loads(pickle.dumps(Shape)) is Shape
    params = Shape.parse({"arrival_rate": 2.0})
    assert pickle.loads(pickle.dumps(params)) == params


def test_a_subclass_of_the_environment_keeps_what_it_does():
    model = OwnSubclass()
    model.advance(20.0)
    env: object = model.env
    assert isinstance(env, Hospital) and env.beds == 1 and env.steps > 0


def test_the_parameters_of_the_method_that_starts_are_parameters():
    assert Own.parse({}).model_dump() == {"until": 1e9, "arrival_rate": 1.0}
    model = Own({"until": 30.0})
    assert run_policy(model, shorter_queue, 1e6) > 10
    assert model.ended and model.env.now == 30.0
    with pytest.raises(InputError, match=r"there is no method go\(\)"):
        process_model(Desk, start="go")


def two_runs(warm_up=50.0):
    """A warm-up, after which patients are counted from 0 again."""
    env, count = simpy.Environment(), [0]

    def patient(number):
        room = "AB"[
            choose(
                env, "Room?", {"A": 0, "B": 1}, lambda: {"present": [r.count + len(r.queue) for r in rooms]}
            )
        ]
        with rooms["AB".index(room)].request() as turn:
            cost_rate(env, "waiting", sum(len(r.queue) for r in rooms))
            yield turn
            cost_rate(env, "waiting", sum(len(r.queue) for r in rooms))
            yield duration(env, "treatment", number, exponential(1.5))

    def arrivals():
        while True:
            yield duration(env, "arrival", count[0], exponential(1.0))
            env.process(patient(count[0]))
            count[0] += 1

    rooms = [simpy.Resource(env) for _ in "AB"]
    env.process(arrivals())
    env.run(until=warm_up)
    count[0] = 0
    tally(env, "warm-ups", 1)
    env.run(until=warm_up + 400)
    charge(env, "in the end", 7.0)


TwoRuns = process_model(two_runs)


def test_a_model_may_run_twice_and_count_again_between():
    model, policy = TwoRuns(), lambda state, choices: choices[state["present"][0] > state["present"][1]]
    assert run_policy(model, policy, 49.0) > 20 and "warm-ups" not in model.totals()
    run_policy(model, policy, 1e6)
    assert model.env.now == 450.0 and model.ended
    assert model.totals()["warm-ups"] == (1.0, 1) and model.costs()["in the end"] == 7.0
    assert inspect_simulator(TwoRuns, {"warm_up": 20.0}).problems == ()


def terminating(patients=3):
    """The day ends when the last patient has gone."""
    env = simpy.Environment()

    def day():
        for patient in range(patients):
            yield duration(env, "arrival", patient, exponential(1.0))
            if (yield decide(env, "Treat?", ["yes", "no"], lambda: {"now": 0})) == "no":
                charge(env, "refused", 1.0)
        return "over"

    def monitor():
        while True:
            yield env.timeout(0.1)

    env.process(monitor())
    final_cost(env, lambda: 5.0)
    charge(env, str(env.run(until=env.process(day()))), 1.0)


def test_a_run_ends_at_an_event_and_hands_back_its_value():
    model = process_model(terminating)()
    assert run_policy(model, lambda state, choices: "no", 1e6) == 3
    assert model.ended and model.costs() == {"refused": 3.0, "over": 1.0} and model.final_cost() == 5.0


def test_a_run_that_comes_to_no_end_is_told():
    def stuck():
        env = simpy.Environment()
        env.run(until=env.event())

    with pytest.raises(ProcessError, match="nothing happens any more"):
        process_model(stuck)().advance()


@pytest.mark.parametrize("runs", ["first", "second"])
def test_of_several_environments_the_one_that_is_run_is_the_models(runs):
    def restarted(runs: str = ""):
        first = simpy.Environment()
        first.process(asks(first, "first"))
        second = simpy.Environment()
        second.process(asks(second, "second"))
        (first if runs == "first" else second).run(until=10)

    def asks(env, name):
        yield env.timeout(1)
        charge(env, choose(env, name, ["a", "b"], dict), env.now)

    model = process_model(restarted)({"runs": runs})
    assert (decision := model.advance()) is not None and decision.question == runs
    model.answer("b")
    assert model.advance() is None and model.env.now == 10.0 and model.costs() == {"b": 1.0}


def test_a_second_environment_that_is_run_as_well_is_told():
    def both():
        first, second = simpy.Environment(), simpy.Environment()
        first.run(until=1)
        second.run(until=1)

    with pytest.raises(ProcessError, match=r"makes a second simpy\.Environment"):
        process_model(both)().advance()


def test_what_is_wrong_with_an_environment_is_told():
    def several():
        for _ in range(2):
            env = simpy.Environment()
            env.process(iter_timeout(env))
            env.run(until=5)

    def iter_timeout(env):
        yield env.timeout(1)

    with pytest.raises(ProcessError, match=r"makes a second simpy\.Environment"):
        process_model(several)().advance()

    def handed(env):
        env.run(until=5)

    with pytest.raises(ProcessError, match=r"take env\.run\(\) out of the model"):
        process_model(handed)()
    with pytest.raises(ProcessError, match=r"take env\.run\(\) out of the model"):
        process_model(handed, chooses=True)()

    def nested():
        env = simpy.Environment()

        def process():
            yield env.timeout(1)
            env.run(until=10)

        env.process(process())
        env.run(until=5)

    with pytest.raises(ProcessError, match=r"env\.run\(\) was called in a process"):
        process_model(nested)().advance()


class Ward(simpy.Environment):
    """The model is the environment itself."""

    def __init__(self, beds: int = 2):
        super().__init__()
        self.beds = simpy.Resource(self, beds)

    def arrivals(self):
        for number in itertools.count():
            yield duration(self, "arrival", number, exponential(1.0))
            if (yield decide(self, "Admit?", ["yes", "no"], lambda: {"free": self.beds.count})) == "no":
                charge(self, "refused", 1.0)

    def run(self, until=60):
        self.process(self.arrivals())
        super().run(until)


class Shift(Desk):
    """A class that is handed its environment, and runs it."""

    def work(self, hours: float = 8.0):
        self.env.run(until=hours)


class Waiting(Desk):
    """A class with a method that is the process."""

    def __init__(self, env, arrival_rate=1.0):
        self.env, self.arrival_rate, self.inside = env, arrival_rate, 0
        self.clerk = simpy.Resource(env, 1)

    def begin(self):
        yield from self.arrivals()


@pytest.mark.parametrize(
    ("kind", "start", "end"), [(Ward, "run", 60.0), (Shift, "work", 8.0), (Waiting, "begin", None)]
)
def test_a_method_starts_what_a_class_has_made(kind, start, end):
    model = process_model(kind, start=start)()
    assert run_policy(model, lambda state, choices: choices[0], 100.0) > 3
    assert model.ended == (end is not None) and (end is None or model.env.now == end)


def test_a_check_finds_runs_that_are_forgotten():
    class Runs(Desk):
        def __init__(self, env):
            super().__init__(env)
            self.env.run(until=480)

    def in_a_process():
        desk = OwnDesk()

        def closing():
            yield desk.env.timeout(10)
            desk.env.run()

        desk.env.process(closing())

    def at_the_top():
        Desk(simpy_env)

    simpy_env = simpy.Environment()
    for thing, told in (
        (Runs, "self.env.run(until=480)"),
        (in_a_process, "desk.env.run()"),
        (at_the_top, "takes no environment and makes none"),
        (lambda env: ChoosingDesk(env), "chooses=True"),
    ):
        found = {problem.check: str(problem) for problem in inspect_simulator(process_model(thing)).problems}
        assert told in found["runs"]


def test_stepping_into_a_question_is_told():
    def stepping():
        env = simpy.Environment()

        def asking():
            yield env.timeout(1)
            yield decide(env, "Which?", ["a", "b"], lambda: {})

        env.process(asking())
        while env.peek() < 5:
            env.step()
        env.run(until=10)

    with pytest.raises(ProcessError, match=r"env\.step\(\) came to a question"):
        process_model(stepping)()


def test_a_second_model_may_be_made_while_one_is_suspended():
    one, other = OwnSubclass({}, (1,)), OwnSubclass({}, (1,))
    for _ in range(5):
        for model in (one, other):
            model.advance()
            model.answer("in")
    assert one.env is not other.env and one.env.now == other.env.now > 0


def test_environments_outside_of_a_model_are_what_they_were():
    Own()
    env = simpy.Environment()
    assert type(env) is simpy.Environment
    env.run(until=3)
    assert env.now == 3


def test_choices_are_settled_as_decide_does():
    def rule(env, labels=("a",)):
        found = []
        final_cost(env, lambda: float(len(found)))
        yield env.timeout(1)
        found.append(choose(env, "Which?", lambda: {label: label * 2 for label in labels}, lambda: {}))
        charge(env, found[0], 1.0)

    Rule = process_model(rule, chooses=True)
    model = Rule()
    assert model.advance() is None and model.costs() == {"aa": 1.0}  # a sole choice isn't put
    model = Rule({"labels": ("a", "b")})
    assert (decision := model.advance()) is not None and decision.labels == ["a", "b"]
    assert not model.ended and model.env.peek() == 1 and model.env.mid_event
    with pytest.raises(ProcessError, match="no answer yet"):
        model.advance()
    model.answer("none of them")
    assert model.illegal_answers == 1 and model.advance() is None and model.costs() == {"aa": 1.0}
    with pytest.raises(ProcessError, match="no question is waiting"):
        model.answer("a")
    for labels, told in ((("a", WAIT), "needs another name"), ((), "no choice"), (tuple("abc"), "max_")):
        with pytest.raises(ProcessError, match=told):
            Rule({"labels": labels}).advance()


def test_a_question_may_be_put_while_the_model_is_made_and_in_an_answer():
    def shop(env):
        size = choose(env, "Size?", {"small": 1, "large": 2}, lambda: {"time": env.now})
        charge(env, "rent", size)
        yield decide(env, "Open?", ["yes", "no"], lambda: {})
        hours = choose(env, "Hours?", {"few": 10, "many": 20}, lambda: {})
        charge(env, "hours", hours)

    model, asked = process_model(shop, chooses=True)(), []
    while (decision := model.advance()) is not None:
        asked.append(decision.question)
        model.answer(decision.labels[-1])
    assert asked == ["Size?", "Open?", "Hours?"] and model.costs() == {"rent": 2.0, "hours": 20.0}


def test_errors_come_out_with_their_cause():
    def shop(env):
        yield env.timeout(1)
        if choose(env, "Which?", ["a", "b"], lambda: {}) == "b":
            raise LookupError("no such shop")

    model = process_model(shop, chooses=True)()
    model.advance()
    model.answer("b")
    with pytest.raises(ProcessError, match="LookupError: no such shop") as caught:
        model.advance()
    assert isinstance(caught.value.__cause__, LookupError)
    assert model.advance() is None


def test_what_looks_at_a_model_cannot_ask():
    def shop(env):
        yield decide(env, "Which?", ["a", "b"], lambda: {"x": choose(env, "Why?", ["c", "d"], lambda: {})})

    model = process_model(shop, chooses=True)()
    decision = model.advance()
    assert decision is not None
    with pytest.raises(ProcessError, match="where the process doesn't run"):
        model.observe_unchecked(decision)


def test_a_model_that_does_not_say_that_it_chooses_is_told():
    with pytest.raises(ProcessError, match="chooses=True"):
        process_model(ChoosingDesk)().advance()


def test_questions_in_the_middle_count_against_silence():
    class Patient(process_model(ChoosingDesk, chooses=True)):
        max_silent_events = 50

    model = Patient()
    assert run_policy(model, shorter_queue, 500.0) > 300


def test_another_thread_is_told():
    model, told = Choosing(), []

    def elsewhere():
        try:
            model.advance()
        except InputError as error:
            told.append(str(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert "begun in another thread" in told[0]


def test_episodes_are_recorded():
    model = recorded(Choosing)()
    model.advance(5.0)
    model.answer("away")
    model.advance(5.0)
    record = model.record  # type: ignore[attr-defined]
    assert [entry.name for entry in record if entry.event in ("decision", "charge")] == ["Let in?", "away"]


@pytest.mark.parametrize("Shape", [Choosing, Callback, Own, OwnRun, ByMethods, TwoRuns])
def test_episodes_left_in_the_middle_are_forgotten(Shape):
    def leave(number):
        model = Shape({}, (number,))
        for _ in range(number % 5):
            model.advance()
            model.answer("in")
        model.advance()
        return weakref.ref(model), weakref.ref(model.env)

    leave(0)
    gc.collect()
    before = len(gc.get_objects())
    left = [leave(number) for number in range(2000)]
    gc.collect()
    assert not any(one() for pair in left for one in pair)
    del left
    assert len(gc.get_objects()) < before + 2000


def test_code_that_is_given_up_comes_to_its_end_at_once():
    ended = []

    def shop(env):
        try:
            while True:
                yield env.timeout(1)
                try:
                    choose(env, "Which?", ["a", "b"], lambda: {})
                except Exception:
                    ended.append("caught")
        finally:
            ended.append("left")

    model = process_model(shop, chooses=True)()
    model.advance()
    del model
    gc.collect()
    assert ended == ["left"]


def test_a_check_finds_a_generator_that_only_suspended_code_holds():
    def shop():
        env, rng = simpy.Environment(), random.Random(3)

        def asking():
            for number in itertools.count():
                yield duration(env, "arrival", number, exponential(1.0))
                if (yield decide(env, "Sell?", ["yes", "no"], lambda: {"price": price[0]})) == "yes":
                    charge(env, "sold", price[0])
                else:
                    charge(env, "kept", 0.5)

        price = [1.0]
        env.process(asking())
        for day in range(1, 1000):
            env.run(until=day)
            price[0] = rng.random()

    found = {problem.check: str(problem) for problem in inspect_simulator(process_model(shop)).problems}
    assert "a random Random" in found["own random numbers"]


def test_a_check_keeps_no_episode():
    def kept():
        gc.collect()
        gc.collect()  # what the code that is given up leaves
        return sum(issubclass(type(thing), Hospital) for thing in gc.get_objects())

    before = kept()
    inspect_simulator(OwnSubclass, seconds=20)
    assert kept() <= before


def test_generator_rules_may_be_nested():
    def shop(env, depth=3):
        def rule(level):
            if level:
                return (yield from rule(level - 1)) + 1
            answer = yield decide(env, "Which?", {"a": 0, "b": 10}, lambda: {})
            return answer + choose(env, "And?", {"c": 100, "d": 200}, lambda: {})

        for _ in range(2):
            charge(env, "sum", (yield from rule(depth)))

    model = process_model(shop, chooses=True)()
    assert run_policy(model, lambda state, choices: choices[-1], 1.0) == 4
    assert model.costs() == {"sum": 426.0}


def test_a_sole_uniform_draw_in_a_later_run_has_a_number_of_its_own():
    def twice():
        env = simpy.Environment()
        fingerprint(env, lambda: env.now)

        def drawing():
            for _ in range(2):
                charge(env, "drawn", (yield duration(env, "gap", 0, uniform(0, 1), visit=0)) or env.now)

        env.process(drawing())
        env.run(until=5)
        first = env.now
        env.process(drawing())
        env.run(until=10)
        charge(env, "time", env.now - first)

    model = process_model(twice)()
    assert model.advance() is None and model.costs()["time"] == 5.0
