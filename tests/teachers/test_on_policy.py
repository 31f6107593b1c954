"""States of the student's own episodes."""

import pytest

from simdistill import registry
from simdistill.config import compose
from simdistill.envs.episodes import Failure
from simdistill.simulation import TRAIN
from simdistill.simulators.queueing import Queueing
from simdistill.teachers.on_policy import visit


@pytest.fixture
def config():
    return compose(
        [
            "task=queueing",
            "distill.round_questions=24",
            "distill.round_states_per_episode=3",
            "distill.round_decisions_between=1",
            "teacher.episodes_per_scenario=2",
        ]
    )[0]


class Always:
    """Sends every job to one server, and keeps what it was asked."""

    def __init__(self, label: str):
        self.label, self.asked = label, []

    def __call__(self, state, choices):
        return self.many([state], [choices])[0]

    def many(self, states, choices_S):
        self.asked.append(len(states))
        return [self.label for _ in states]


def met(config, decide, failures: list[Failure], number: int = 1000):
    return visit(
        config.task,
        config.teacher,
        config.distill,
        (0, TRAIN),
        number,
        decide,
        failures,
        lambda done, total: None,
    )


def test_the_student_decides_where_its_episodes_go(config):
    found = met(config, Always("B"), [])
    assert [len(situations) for situations in found.values()] == [6, 6, 6, 6]
    for situations in found.values():
        assert {len(situation.actions) for situation in situations} == {1, 3, 5}
        for situation in situations:
            assert set(situation.actions) <= {"B"}


def test_all_episodes_are_asked_about_at_once(config):
    decide = Always("A")
    met(config, decide, [])
    assert decide.asked == [8] * 6


def test_other_rounds_meet_other_states(config):
    first, second = met(config, Always("A"), []), met(config, Always("A"), [], number=1001)
    assert [s.state for s in first[0]] != [s.state for s in second[0]]


class Fragile(Queueing):
    """Breaks down when a job goes to A, where arrivals are slow."""

    def change(self, server: int, jobs: int):
        if jobs > 0 and server == 0 and self.params.arrival_rate < 1.7:
            raise RuntimeError("server A broke")
        super().change(server, jobs)


def test_a_failed_episode_is_listed_and_the_others_go_on(config, monkeypatch):
    monkeypatch.setattr(registry, "load", lambda kind, name: Fragile)
    failures: list[Failure] = []
    found = met(config, Always("A"), failures)
    assert failures and all("server A broke" in failure.message for failure in failures)
    assert 0 < len(failures) < 8
    situations = [situation for group in found.values() for situation in group]
    assert len(situations) == 24 - 3 * len(failures)
