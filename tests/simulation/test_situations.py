"""Episodes: decisions one by one, each of which can be brought about again."""

import pytest

from simdistill.errors import ProcessError
from simdistill.simulation import TEST, Streams, World
from simdistill.simulation.replaying import replay
from simdistill.simulation.rollout import run_policy
from simdistill.simulation.situations import Episode
from simdistill.simulators.queueing import Queueing, shortest_expected_delay

PATH = (3, TEST, 1)


def test_a_situation_can_be_brought_about_again():
    episode = Episode(Queueing({}, PATH))
    for _ in range(20):
        situation = episode.advance()
        assert situation is not None
        episode.answer(shortest_expected_delay(situation.state, situation.choices))
    model, decision = replay(Queueing, situation.params, World(Streams(situation.path)), situation.actions)
    assert (model.env.now, model.state(decision), tuple(decision.labels)) == (
        situation.time,
        situation.state,
        situation.choices,
    )
    assert len(situation.actions) == 19
    assert episode.actions[:19] == situation.actions


def test_an_episode_goes_as_a_policy_run_does():
    model, actions = Queueing({}, PATH), []
    run_policy(model, shortest_expected_delay, 50.0, lambda decision, state, label: actions.append(label))
    episode = Episode(Queueing({}, PATH))
    while (situation := episode.advance(50.0)) is not None:
        episode.answer(shortest_expected_delay(situation.state, situation.choices))
    assert episode.actions == tuple(actions)
    assert episode.model.cost(50.0) == model.cost(50.0)
    assert episode.decision is None and episode.question == ""


def test_a_decision_can_be_come_to_without_observing_it():
    one, other = Episode(Queueing({}, PATH)), Episode(Queueing({}, PATH))
    decision = one.proceed()
    assert decision is not None and one.question == decision.question
    assert one.situation == other.advance()


def test_there_is_no_situation_without_a_decision():
    with pytest.raises(ValueError, match="no decision is waiting"):
        _ = Episode(Queueing({}, PATH)).situation


def test_an_episode_waits_for_its_answer():
    episode = Episode(Queueing({}, PATH))
    episode.advance()
    with pytest.raises(ProcessError, match="the last question has no answer yet"):
        episode.advance()
