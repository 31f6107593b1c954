"""Generators in models that run themselves and that choose in the middle of code."""

import simpy

from simdistill import adapt
from simdistill.simulation import EPISODE, TRAIN
from simdistill.simulation.branching import what_if
from simdistill.simulation.rng.running import running
from simdistill.simulation.situations import Episode

generator = adapt.rng(None, "arrivals")


class Door:
    """A door, with a warm-up: it makes its environment, runs it twice, and asks in a plain function."""

    def __init__(self):
        self.env = simpy.Environment()
        self.own = adapt.rng(self.env, "stay")
        self.let_in = self.waited = 0
        self.env.process(self.arrivals())

    def arrivals(self):
        while True:
            yield self.env.timeout(generator.exponential(1.0))
            if self.rule() == "in":
                self.let_in += 1
                self.env.process(self.visit())

    def rule(self):
        drawn = generator.random()
        return adapt.choose(self.env, "Let in?", ["in", "away"], lambda: {"drawn": drawn})

    def visit(self):
        yield self.env.timeout(self.own.gamma(2.0, 1.0))
        adapt.charge(self.env, "visit", generator.random())

    def run(self):
        self.env.run(until=5)
        self.let_in = 0
        self.env.run(until=20)
        return {"let in": self.let_in}


Doors = adapt.process_model(Door, start="run", chooses=True)


def everyone(state, choices):
    return "in"


def played(number):
    """Yields what an episode shows at each decision."""
    episode = Episode(Doors(None, (0, TRAIN, EPISODE, number)))
    while (situation := episode.advance()) is not None:
        yield situation.time, situation.state["drawn"]
        episode.answer("in")
    yield episode.model.cost(20), episode.model.figures()["let in"]


def test_episodes_that_take_turns_have_their_own_numbers():
    alone = [list(played(number)) for number in range(2)]
    one, other = played(0), played(1)
    turns = [(next(one, None), next(other, None)) for _ in range(max(map(len, alone)))]
    assert [[turn[k] for turn in turns if turn[k] is not None] for k in (0, 1)] == alone
    assert alone[0] != alone[1]


def test_what_an_episode_returns_are_its_figures():
    assert list(played(0))[-1][1] > 0


def test_an_episode_that_is_given_up_leaves_no_generator_behind():
    episode = Episode(Doors(None, (0, TRAIN, EPISODE, 3)))
    episode.advance()
    del episode
    assert running.sources is None


def test_branches_after_the_second_run_of_the_environment():
    episode = Episode(Doors(None, (0, TRAIN, EPISODE, 0)))
    while (situation := episode.advance()) is not None and situation.time < 8:
        episode.answer("in")
    assert situation is not None
    found = what_if(Doors, situation, everyone, 8, 5.0, until=20.0)
    assert found.mean_C[found.base] == 0
    assert abs(found.mean_C).max() > 0
