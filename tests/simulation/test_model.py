"""Process models: questions, answers, costs, and what the author hears when something is wrong."""

import math
import pickle

import pytest
import simpy

from simdistill.errors import InputError, ProcessError
from simdistill.simulation import (
    WAIT,
    Parameters,
    ProcessModel,
    Quantity,
    Streams,
    World,
    exponential,
    letters,
)
from simdistill.simulation.rollout import run_policy
from simdistill.simulators.queueing import Queueing, join_shortest_queue, shortest_expected_delay


def once(choices, at=1.0, when=None, **options):
    """A process that asks one question, at some time, and logs the answer."""

    def body(model):
        yield model.env.timeout(at)
        model.log.append((yield model.decide("Which?", choices, at=when, **options)))

    return body


def answered(simulator, *labels):
    """Gives answers in turn; returns the model and the labels that were offered."""
    model = simulator()
    offered = []
    for label in labels:
        decision = model.advance()
        offered.append(decision.labels)
        model.answer(label)
    assert model.advance() is None
    return model, offered


# Choices.


def test_a_list_of_labels_gives_back_the_label(process_of):
    model, offered = answered(process_of(once(["A", "B"])), "B")
    assert offered == [["A", "B"]]
    assert model.log == ["B"]


def test_a_mapping_gives_back_the_object(process_of):
    truck = object()
    model, offered = answered(process_of(once({"A": 1, "B": truck})), "B")
    assert offered == [["A", "B"]]
    assert model.log == [truck]


def test_a_quantity_offers_every_step_and_gives_back_the_number(process_of):
    model, offered = answered(process_of(once(Quantity(2, 9, 3)), max_choices=3), "5")
    assert offered == [["2", "5", "8"]]
    assert model.log == [5]


def test_a_callable_is_asked_when_the_question_is_put(process_of):
    def asks(model):
        yield model.env.timeout(1.0)
        model.log.append((yield model.decide("Which?", lambda: letters(model.count))))

    def changes(model):
        yield model.env.timeout(1.0)
        model.count = 2

    model, offered = answered(process_of(asks, changes, decides_at="end"), "B")
    assert offered == [["A", "B"]]
    assert model.log == ["B"]


def test_a_single_choice_is_taken_without_asking(process_of):
    model, _ = answered(process_of(once({"only": 7})))
    assert model.log == [7]
    model, _ = answered(process_of(once(Quantity(4, 4))))
    assert model.log == [4]


# When a question is put.


def test_a_question_shows_the_end_of_its_instant(process_of):
    def changes(model):
        for _ in range(3):
            yield model.env.timeout(1.0 if model.count == 0 else 0.0)
            model.count += 1

    model = process_of(once(["A", "B"], at=1.0, when="end"), changes)()
    decision = model.advance()
    assert (model.env.now, model.state(decision)) == (1.0, {"count": 3})


def test_the_next_question_of_an_instant_sees_the_answer_to_the_last(process_of):
    def asks(model):
        yield model.env.timeout(1.0)
        yield model.decide("Which?", ["A", "B"])
        model.count += 1
        yield model.env.timeout(0.0)
        model.count += 1

    model = process_of(asks, asks, decides_at="end")()
    assert model.state(model.advance()) == {"count": 0}
    model.answer("A")
    assert model.state(model.advance()) == {"count": 2}
    assert model.env.now == 1.0


def test_questions_of_one_instant_go_by_priority_then_decider(process_of):
    order = [("z", 0), ("b", 1), ("a", 1), ("c", -1)]
    bodies = [
        once(["A", "B"], about=(decider, priority), decider=decider, priority=priority)
        for decider, priority in order
    ]
    model = process_of(*bodies, decides_at="end")()
    asked = []
    while (decision := model.advance()) is not None:
        asked.append(decision.about)
        model.answer("A")
    assert asked == [("c", -1), ("z", 0), ("a", 1), ("b", 1)]


def test_several_processes_may_wait_for_one_answer(process_of):
    def asks(model):
        model.shared = model.decide("Which?", ["A", "B"])
        model.log.append((yield model.shared))

    def listens(model):
        yield model.env.timeout(0.0)
        model.log.append((yield model.shared))

    model, offered = answered(process_of(asks, listens), "B")
    assert len(offered) == 1
    assert model.log == ["B", "B"]


def test_a_question_is_not_put_before_somebody_waits_for_it(process_of):
    def asks(model):
        decision = model.decide("Which?", ["A", "B"])
        yield model.env.timeout(5.0)
        model.log.append((yield decision))

    model = process_of(asks)()
    model.advance()
    assert model.env.now == 5.0
    model.answer("A")
    assert model.advance() is None
    assert model.log == ["A"]


def test_wait_puts_the_question_again_at_the_next_change(process_of):
    def changes(model):
        for time in (2.0, 5.0):
            yield model.env.timeout(time - model.env.now)
            model.count += 1

    model = process_of(once(["go", WAIT]), changes)()
    seen = []
    for label in (WAIT, WAIT, "go"):
        state = model.state(model.advance())
        seen.append((model.env.now, state["count"]))
        model.answer(label)
    assert seen == [(1.0, 0), (2.0, 1), (5.0, 2)]
    assert model.advance() is None
    assert model.log == ["go"]


def test_waiting_when_nothing_can_change_ends_the_process(process_of):
    model = process_of(once(["go", WAIT]))()
    model.advance()
    model.answer(WAIT)
    assert model.advance() is None
    assert model.ended
    assert model.log == []


def test_a_withdrawn_question_is_not_put(process_of):
    def asks(model):
        model.asked = model.decide("Which?", ["A", "B"])
        yield model.asked

    def withdraws(model):
        yield model.env.timeout(0.0)
        model.asked.withdraw()

    answered(process_of(asks, withdraws, decides_at="end"))
    assert process_of(asks)().advance() is not None


def test_an_interrupted_question_is_not_put(process_of):
    def asks(model):
        try:
            yield model.decide("Which?", ["A", "B"])
        except simpy.Interrupt:
            model.log.append("interrupted")

    def build(self):
        self.log, self.count = [], 0
        asking = self.env.process(asks(self))

        def interrupts():
            yield self.env.timeout(0.0)
            asking.interrupt()

        self.env.process(interrupts())

    model = process_of(build=build, decides_at="end")()
    assert model.advance() is None
    assert model.log == ["interrupted"]


def test_a_question_that_nobody_waits_for_any_more_is_not_put(process_of):
    def gives_up(model):
        decision = model.decide("Which?", lambda: ["A", "B"])
        yield decision | model.env.timeout(0.0)  # the timeout goes first: nothing is put within an instant
        model.log.append("gave up")
        yield model.env.timeout(1.0)

    model, _ = answered(process_of(gives_up, decides_at="end"))
    assert model.log == ["gave up"]


# Costs.


def test_cost_accrues_at_its_rate_and_by_charges(process_of):
    def costs(model):
        model.cost_rate("waiting", 2.0)
        model.charge("order", 5.0)
        yield model.env.timeout(3.0)
        model.cost_rate("waiting", 1.0)
        yield model.env.timeout(4.0)
        model.charge("order", 7.0)
        yield model.env.timeout(100.0)

    model = process_of(costs, cost_weights={"order": 0.5})()
    assert model.advance(until=8.0) is None
    assert model.costs(8.0) == {"waiting": 2.0 * 3 + 1.0 * 5, "order": 12.0}
    assert model.cost(8.0) == 11.0 + 6.0
    assert model.cost() == 10.0 + 6.0


def test_a_process_that_has_ended_costs_no_more(process_of):
    def ends(model):
        model.cost_rate("open", 1.0)
        yield model.env.timeout(3.0)

    model = process_of(ends)()
    assert model.advance(until=10.0) is None
    assert model.ended
    assert model.cost(10.0) == 3.0


# Answers.


def test_an_illegal_answer_is_counted_and_replaced(process_of):
    simulator = process_of(once(["A", "B"]), once(["A", "B"], at=2.0))
    model, _ = answered(simulator, "nonsense", "B")
    assert model.log == ["A", "B"]
    assert model.illegal_answers == 1
    simulator = process_of(once(["A", "B"]), fallback=lambda self, decision: decision.labels[-1])
    assert answered(simulator, "C")[0].log == ["B"]


def test_a_fallback_must_be_legal_too(process_of):
    model = process_of(once(["A", "B"]), fallback=lambda self, decision: "Z")()
    model.advance()
    with pytest.raises(ProcessError, match=r"fallback\(\) returned 'Z'.*seed \[0\], time 1"):
        model.answer("C")


def test_question_and_answer_take_turns(process_of):
    model = process_of(once(["A", "B"]))()
    with pytest.raises(ProcessError, match="no question is waiting"):
        model.answer("A")
    model.advance()
    with pytest.raises(ProcessError, match="no answer yet"):
        model.advance()


# What goes wrong names simulator, episode, seed and time.

WHERE = r"^Example: .*\(episode 7, seed \[4, 0, 7\], time 2\.5\)$"


def fails(simulator, act=lambda model: run_policy(model, lambda state, choices: choices[0], 100.0)) -> str:
    with pytest.raises(ProcessError, match=WHERE) as caught:
        act(simulator(world=(4, 0, 7)))
    assert caught.value.simulator == "Example"
    assert (caught.value.seed_path, caught.value.time) == ((4, 0, 7), 2.5)
    return caught.value.reason


def test_a_simulator_that_raises(process_of):
    def breaks(model):
        yield model.env.timeout(2.5)
        raise KeyError("truck 9")

    assert fails(process_of(breaks)) == "KeyError: 'truck 9'"


def test_an_observation_that_raises(process_of):
    def observe(self, decision):
        return {"share": 1 / self.count}

    simulator = process_of(once(["A", "B"], at=2.5), observe=observe)
    assert fails(simulator) == "ZeroDivisionError: division by zero"
    assert "ZeroDivisionError" in fails(simulator, lambda model: model.state(model.advance()))


def test_choices_that_raise(process_of):
    assert "ZeroDivisionError" in fails(process_of(once(lambda: [1 / 0], at=2.5)))


def test_a_build_that_raises(process_of):
    def build(self):
        raise ValueError("no such ward")

    with pytest.raises(
        ProcessError, match=r"^Example: ValueError: no such ward \(episode 7, seed \[4, 7\], time 0\)"
    ):
        process_of(build=build)(world=(4, 7))


def test_running_on_without_a_decision(process_of):
    def turns(model):
        yield model.env.timeout(2.5)
        while True:
            yield model.env.timeout(0.0)

    reason = fails(process_of(turns, max_silent_events=1000))
    assert "1,000 events passed without a decision" in reason


def test_silent_events_count_from_the_last_question(process_of):
    def asks(model):
        for _ in range(50):
            yield model.env.timeout(1.0)
            yield model.decide("Which?", ["A", "B"])

    model = process_of(asks, max_silent_events=10)()
    assert run_policy(model, lambda state, choices: "A", math.inf) == 50


@pytest.mark.parametrize(
    ("state", "what"),
    [
        ({"jobs": {1, 2}}, "set"),
        ({"jobs": math.nan}, "nan"),
        ({"at": object}, "type"),
        ([1, 2], "a list, not a dict"),
    ],
)
def test_a_state_that_is_not_json(process_of, state, what):
    simulator = process_of(once(["A", "B"], at=2.5), observe=lambda self, decision: state)
    reason = fails(simulator, lambda model: model.state(model.advance()))
    assert reason.startswith("observe() returned")
    assert what in reason


def test_no_choice_and_too_many(process_of):
    assert fails(process_of(once([], at=2.5))) == "'Which?' offers no choice"
    reason = fails(process_of(once(letters(3), at=2.5)))
    assert reason == "'Which?' offers 3 choices; Example.max_choices is 2"


@pytest.mark.parametrize("cost", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("account", ["charge", "cost_rate"])
def test_a_cost_that_is_no_number(process_of, account, cost):
    def costs(model):
        yield model.env.timeout(2.5)
        getattr(model, account)("waiting", cost)

    assert fails(process_of(costs)) == f"cost 'waiting' is {cost!r}"


def test_what_a_subclass_must_write(process_of):
    with pytest.raises(NotImplementedError, match=r"Empty needs a method build\(self\)"):
        type("Empty", (ProcessModel,), {})()


# Parameters.


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"arrival_rate": -1.0}, "Queueing.arrival_rate = -1.0: Input should be greater than 0"),
        ({"arrival_rate": math.inf}, "Queueing.arrival_rate = inf: Input should be a finite number"),
        ({"arrival_rate": "often"}, "Queueing.arrival_rate = 'often': Input should be a valid number"),
        ({"service_rates": (2.0, -0.5)}, "Queueing.service_rates.1 = -0.5"),
        ({"arrivals": 2.0}, "Queueing.arrivals = 2.0: Extra inputs are not permitted"),
        ({"initial_jobs": (1,)}, "initial_jobs has 1 numbers for 2 servers"),
        ({"initial_jobs": (1, -1)}, "must not be negative"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_value_and_bound(parameters, message):
    with pytest.raises(InputError) as caught:
        Queueing(parameters)
    assert message in str(caught.value)


def test_parameters_can_be_given_in_part_or_whole():
    assert Queueing({"arrival_rate": 1.5}).params.service_rates == (2.0, 0.5)
    params = Queueing.parse({"arrival_rate": 1.5})
    assert Queueing(params).params is params
    assert Queueing().params == Queueing.parse(None)
    assert Parameters() == Parameters.model_validate({})


# The same world for every policy.


class Noted(World):
    """A world that notes what was drawn for whom."""

    def __init__(self, streams):
        super().__init__(streams)
        self.drawn = {}

    def duration(self, source, entity, distribution, now, visit=0):
        value = super().duration(source, entity, distribution, now, visit)
        self.drawn[source, entity, visit] = value
        return value


class KeyedService(Queueing):
    """Service times that belong to the job."""

    def build(self):
        self.waiting = [simpy.Store(self.env) for _ in self.params.service_rates]
        super().build()

    def arrivals(self):
        for job in range(10**9):
            yield self.duration("arrival", job, exponential(1 / self.params.arrival_rate))
            server = yield self.decide("Which server gets the next job?", {"A": 0, "B": 1})
            self.change(server, +1)
            self.waiting[server].put(job)

    def serve(self, server):
        while True:
            job = yield self.waiting[server].get()
            yield self.duration("service", job, exponential(1 / self.params.service_rates[server]))
            self.change(server, -1)


def test_equal_keys_give_equal_draws_under_different_actions():
    worlds, answers, times = [], [], []
    for policy in (shortest_expected_delay, join_shortest_queue):
        worlds.append(Noted(Streams((1, 2))))
        model = KeyedService(world=worlds[-1])
        answers.append([])
        times.append([])

        def note(decision, state, label, answers=answers[-1], times=times[-1]):
            answers.append(label)
            times.append(decision.env.now)

        run_policy(model, policy, 200.0, note)
    assert answers[0] != answers[1]
    assert times[0] == times[1]
    a, b = (world.drawn for world in worlds)
    arrivals = [key for key in a if key[0] == "arrival"]
    assert len(arrivals) > 300
    assert all(a[key] == b[key] for key in arrivals)


def test_a_job_takes_as_long_in_units_of_work_wherever_it_is_sent():
    drawn = []
    for policy in (lambda state, choices: "A", lambda state, choices: "B"):
        world = Noted(Streams((1, 2)))
        run_policy(KeyedService({"arrival_rate": 0.3, "service_rates": (2.0, 0.5)}, world), policy, 300.0)
        drawn.append(world.drawn)
    served = [key for key in drawn[0] if key[0] == "service" and key in drawn[1]]
    assert len(served) > 30
    for key in served:
        assert drawn[1][key] == pytest.approx(4 * drawn[0][key])


def test_look_is_an_old_name_of_observe_unchecked(process_of):
    model = process_of(once(["A", "B"]))()
    decision = model.advance()
    with pytest.warns(DeprecationWarning, match=r"look\(\) is now called observe_unchecked\(\)"):
        assert model.look(decision) == model.observe_unchecked(decision)


# Helpers.


def test_letters():
    assert letters(3) == ["A", "B", "C"]
    assert letters(28)[-3:] == ["Z", "A1", "B1"]
    assert len(set(letters(200))) == 200


def test_a_process_error_can_be_sent_between_processes():
    error = ProcessError("Example", (4, 0, 7), 2.5, "broken")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "Example: broken (episode 7, seed [4, 0, 7], time 2.5)"
