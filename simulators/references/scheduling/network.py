"""Scheduling networks as decision processes. Axes: S states, C classes, or choices where a table has choices.

Epochs are the times at which a server has a choice, and otherwise arrivals and completions.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from simdistill.mdp import DecisionProcess
from simdistill.simulators.references.scheduling.rows import Rows
from simdistill.simulators.scheduling import IDLE


class States(Sequence):
    """The observation (the result of `observe`) in each state, made when it is looked up."""

    def __init__(self, rows: Rows, rows_SN: np.ndarray):
        self.rows, self.rows_SN = rows, rows_SN
        params = rows.params
        self.fixed = {
            "arrival_rates": list(params.arrival_rates),
            "holding_costs": list(params.holding_costs),
            "next_classes": list(params.route),
            "skills": [list(pair) for pair in params.skills],
            "service_rates": list(params.service_rates),
        }

    def __len__(self) -> int:
        return len(self.rows_SN)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self.rows_SN[index].tolist()
        classes = self.rows.classes
        return {**self.fixed, "jobs": row[:classes], "serving": row[classes:-1], "server": row[-1]}


def network(params: Any, most_C: np.ndarray, most: int, alike: bool = False) -> DecisionProcess:
    """Returns the process with at most `most_C` jobs of each class and `most` jobs in all.

    If no server has a choice in a state, its only legal choice is the first one, which waits for the next
    event.
    """
    rows = Rows(params, most_C, most, alike)
    rows_SN = rows.all()
    keys_S, count = rows.keys(rows_SN), len(rows_SN)
    jobs_SC = rows.jobs(rows_SN)
    holding_S = jobs_SC @ np.array(params.holding_costs)
    asked_S = rows_SN[:, -1] > 0
    legal_SC = np.zeros((count, rows.choices), dtype=bool)
    legal_SC[asked_S] = rows.legal_asked(rows_SN[asked_S])
    legal_SC[~asked_S, 0] = True
    time_SC = np.zeros(legal_SC.shape)
    moves = []
    for choice in range(rows.choices):
        from_S = np.flatnonzero(legal_SC[:, choice])
        after_SN = rows_SN[from_S].copy()
        answered_S = asked_S[from_S]
        after_SN[answered_S] = rows.answered(after_SN[answered_S], choice)
        next_S = np.flatnonzero(after_SN[:, -1] > 0)  # another server is asked at once
        sources, targets, rates = [from_S[next_S]], [after_SN[next_S]], [np.ones(len(next_S))]
        passing_S = np.flatnonzero(after_SN[:, -1] == 0)
        total_S = np.zeros(count)
        for where_S, speed, event_SN in rows.events(after_SN[passing_S]):
            source_S = from_S[passing_S[where_S]]
            sources.append(source_S)
            targets.append(event_SN)
            rates.append(np.full(len(where_S), speed))
            total_S[source_S] += speed
        time_SC[:, choice] = np.divide(1.0, total_S, out=np.zeros(count), where=total_S > 0)
        source = np.concatenate(sources)
        target = np.searchsorted(keys_S, rows.keys(np.concatenate(targets)))
        share = np.concatenate(rates) * np.where(total_S[source] > 0, time_SC[source, choice], 1.0)
        moves.append(sparse.csr_matrix((share, (source, target)), shape=(count, count)))
    return DecisionProcess(
        states=States(rows, rows_SN),
        labels=[str(job_class + 1) for job_class in range(rows.classes)] + [IDLE] * params.idling,
        legal_SC=legal_SC,
        moves=moves,
        cost_SC=holding_S[:, None] * time_SC,
        time_SC=time_SC,
        boundary_S=(jobs_SC == most_C).any(axis=1) | (jobs_SC.sum(axis=1) == most),
    )


def markov(params: Any, size: int) -> DecisionProcess:
    """Returns the process with at most `size` jobs in all."""
    return network(params, np.full(len(params.arrival_rates), size), size)


def alike(params: Any) -> bool:
    """Returns whether there are several servers with equal skills and rates, which are exchangeable."""
    skills: dict[int, set] = {}
    for (server, job_class), speed in zip(params.skills, params.service_rates, strict=True):
        skills.setdefault(server, set()).add((job_class, speed))
    first, *others = skills.values()
    return bool(others) and not params.idling and all(other == first for other in others)
