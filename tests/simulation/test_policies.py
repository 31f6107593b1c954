"""Policies: one call, many states at once, and random numbers that belong to a run."""

import pickle
from collections import Counter
from collections.abc import Sequence

import pytest

from simdistill.simulation import Streams
from simdistill.simulation.policies import RandomPolicy, decide_many, deciding, unsendable, with_streams
from simdistill.simulators.queueing import join_shortest_queue


class Together:
    """Counts how often it is asked."""

    def __init__(self):
        self.calls = 0

    def __call__(self, state, choices):
        return self.many([state], [choices])[0]

    def many(self, states, choices_S):
        self.calls += 1
        return [choices[-1] for choices in choices_S]


def last_if_busy(state: dict, choices: Sequence[str]) -> str:
    return choices[-int(state["jobs"][0])]


def test_many_states_are_decided_together_where_the_policy_can():
    policy, states, choices_S = Together(), [{"jobs": [1]}, {"jobs": [0]}], [("A", "B"), ("A",)]
    assert decide_many(policy, states, choices_S) == ["B", "A"]
    assert policy.calls == 1
    assert decide_many(last_if_busy, states, choices_S) == ["B", "A"]


def test_the_random_policy_takes_every_choice_equally_often():
    policy = RandomPolicy(Streams((1,)))
    counts = Counter(policy({}, ["A", "B", "C"]) for _ in range(3000))
    assert set(counts) == {"A", "B", "C"}
    assert all(900 < count < 1100 for count in counts.values())


def test_a_random_policy_draws_the_runs_own_numbers():
    policy = RandomPolicy(Streams((1,)))
    answers = []
    for _ in range(2):
        run = with_streams(policy, Streams((2, 3)))
        answers.append([run({}, ["A", "B"]) for _ in range(40)])
    assert answers[0] == answers[1]
    other = with_streams(policy, Streams((2, 4)))
    assert [other({}, ["A", "B"]) for _ in range(40)] != answers[0]
    assert with_streams(join_shortest_queue, Streams((2, 3))) is join_shortest_queue
    assert pickle.loads(pickle.dumps(policy))({}, ["A", "B"]) == policy({}, ["A", "B"])


def test_the_old_name_of_with_streams_still_works_and_says_the_new_one():
    class Old:
        def started(self, streams):
            return RandomPolicy(streams)

        def __call__(self, state, choices):
            return choices[0]

    with pytest.warns(DeprecationWarning, match=r"Old\.started\(\) is now called with_streams\(\)"):
        policy = with_streams(Old(), Streams((1,)))
    assert isinstance(policy, RandomPolicy)


def test_a_random_policy_says_how_likely_each_choice_is():
    assert RandomPolicy(Streams((0,))).probabilities({"jobs": [1, 0]}, ["A", "B", "C", "D"]) == [0.25] * 4


def test_a_policy_without_a_fallback_decides_itself():
    assert deciding(join_shortest_queue, [{"jobs": [1, 0]}]) is join_shortest_queue


def test_policies_that_cannot_be_sent_to_workers_are_named():
    (reason,) = unsendable({"fine": join_shortest_queue, "inner": lambda state, choices: choices[0]})
    assert reason.startswith("policy 'inner' can't be sent to worker processes")
