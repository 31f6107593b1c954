"""The parts of an examination that a report shows: all parameter sets, an episode, a map of decisions.

Axes: S states, N coordinates of a state. A coordinate is a number, or the index of a category's value.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from simdistill import registry
from simdistill.config import TaskConfig
from simdistill.envs.scenarios import examination_path
from simdistill.evaluation import summaries
from simdistill.evaluation.cases import Case
from simdistill.results import SETTINGS
from simdistill.simulation import PLAN, TEST, Parameters, Policy, Streams
from simdistill.simulation.forms import Encoding
from simdistill.simulation.policies import with_streams
from simdistill.simulation.situations import Episode
from simdistill.simulation.states import entries

SHOWN_DECISIONS = 120
SHOWN_EPISODE = 10_000
"""Number of the episode that is shown; the examined episodes have far smaller numbers."""
MAP_SIZE = (20, 12)


def plain(params: Parameters) -> dict:
    """Returns parameters as plain values, without the empty ones."""
    return {name: value for name, value in params.model_dump(mode="json").items() if value not in ([], None)}


def sets(cases: Sequence[Case], names: Iterable[str]) -> dict:
    """Returns, for each setting, the drawn parameter sets with the cost of each named policy."""
    names = list(names)
    return {
        setting: [
            {
                "parameters": plain(case.params),
                "cost": {name: summaries.known(case, name) for name in names if name in case.policies},
            }
            for case in cases
            if case.setting == setting
        ]
        for setting in SETTINGS[1:]
    }


def episode(task: TaskConfig, case: Case, policies: Mapping[str, Policy], seed: int) -> dict:
    """Simulates the same episode under several policies and returns their states over time.

    The times are those at which any of the policies decides.

    Args:
        task: The task.
        case: The case whose parameters are used.
        policies: Name -> policy.
        seed: Seed of the examination.
    """
    played = {name: _decisions(task, case, policy, seed) for name, policy in policies.items()}
    labels = list(case.chain.labels) if case.chain else []
    times = sorted({time for times, _ in played.values() for time in times})
    series = {}
    for name, (own_times, states) in played.items():
        held = np.maximum(np.searchsorted(own_times, times, side="right") - 1, 0)
        series[name] = _series([states[place] for place in held], labels)
    if not all(series.values()):
        return {}
    return {"parameters": plain(case.params), "times": times, "policies": series}


def _decisions(task: TaskConfig, case: Case, policy: Policy, seed: int) -> tuple[list[float], list[dict]]:
    """Returns the times and the states of an episode's decisions."""
    simulator = registry.load("simulators", task.simulator)
    episode = Episode(simulator(case.params, examination_path(seed, SHOWN_EPISODE)))
    policy = with_streams(policy, Streams((seed, TEST, PLAN, SHOWN_EPISODE)))
    times, states = [], []
    while len(times) < SHOWN_DECISIONS:
        situation = episode.advance(task.warm_up + task.horizon)
        if situation is None:
            break
        times.append(situation.time)
        states.append(situation.state)
        episode.answer(policy(situation.state, situation.choices))
    return times, states


def decision_map(case: Case, names: Iterable[str], visited_by: str) -> dict | None:
    """Returns the choices of policies in all states, or None unless exactly two coordinates vary.

    Args:
        case: A case with the policies' tables.
        names: Names of the policies.
        visited_by: Name of the policy whose stationary probabilities are shown.
    """
    shown_S = map_states(case)
    if shown_S is None:
        return None
    rows_S = np.flatnonzero(shown_S)
    shape = tuple(len(np.unique(column)) for column in _places(case)[rows_S].T)
    labels = np.array(case.solved.labels)
    return {
        "parameters": plain(case.params),
        "axes": _axes(case.solved.states, case.solved.labels),
        "labels": labels.tolist(),
        "size": list(shape),
        "policies": {
            name: labels[_policy(case, name)[rows_S].argmax(axis=1)].reshape(shape).tolist() for name in names
        },
        "stationary": case.stationary(visited_by)[rows_S].reshape(shape).tolist(),
        "stationary_policy": visited_by,
    }


def _policy(case: Case, name: str) -> np.ndarray:
    """Returns a policy's probability of each choice in each state (S, C)."""
    policy_SC = case.policies[name].policy_SC
    assert policy_SC is not None, f"{name} has no table"
    return policy_SC


def map_states(case: Case) -> np.ndarray | None:
    """Returns whether the decision map shows each state (S); None if no map can be drawn."""
    if case.chain is None:
        return None
    place_SN = _places(case)
    if place_SN.shape[1] != 2:
        return None
    shown_S = np.all(place_SN <= np.array(MAP_SIZE), axis=1)
    cells = np.prod([len(np.unique(column)) for column in place_SN[shown_S].T])
    return shown_S if shown_S.sum() == cells else None


def _places(case: Case) -> np.ndarray:
    """Returns each state's coordinates, without those that are the same in all states (S, N)."""
    states = case.solved.states
    place_SN = Encoding.of(states).coordinates(states)
    return place_SN[:, _differ(place_SN)]


def _axes(states: Sequence[dict], labels: Sequence[str]) -> list[str]:
    """Returns the names of the coordinates that differ between states."""
    encoding = Encoding.of(states)
    differ_N = _differ(encoding.coordinates(states))
    return [name for name, differs in zip(encoding.axes(labels), differ_N, strict=True) if differs]


def _differ(place_SN: np.ndarray) -> np.ndarray:
    """Returns whether each number differs between states (N)."""
    return place_SN.min(axis=0) < place_SN.max(axis=0)


def _series(states: Sequence[dict], labels: Sequence[str]) -> dict:
    """Returns a series over time for each entry of those of the states' number lists that change."""
    return {
        key: {
            label: [state[key][place] for state in states]
            for place, label in enumerate(entries(value, labels))
        }
        for key, value in states[0].items()
        if isinstance(value, list)
        and all(isinstance(entry, int | float) for entry in value)
        and any(state[key] != value for state in states)
    }
