"""States of a scheduling network as rows of integers. Axes: S states, C classes, I servers."""

from typing import Any

import numpy as np


class Rows:
    """States of a network as rows of an integer array.

    The columns are the number of jobs of each class (C), the class that each server serves (I; 0: none), and
    the server that has a choice (0: none). Classes and servers are counted from 1.

    Args:
        params: Parameters of the network.
        most_C: Largest number of jobs of each class.
        most: Largest number of jobs in all.
        alike: Whether all servers are identical, so that states that differ by exchanging servers are merged.
    """

    def __init__(self, params: Any, most_C: np.ndarray, most: int, alike: bool = False):
        self.params, self.most_C, self.most, self.alike = params, most_C, most, alike
        self.classes = len(params.arrival_rates)
        self.servers = max(server for server, _ in params.skills)
        self.can_IC = np.zeros((self.servers, self.classes), dtype=bool)
        self.rate_IC = np.zeros((self.servers, self.classes))
        for (server, job_class), speed in zip(params.skills, params.service_rates, strict=True):
            self.can_IC[server - 1, job_class - 1] = True
            self.rate_IC[server - 1, job_class - 1] = speed
        self.radix = np.array([*(most_C + 1), *[self.classes + 1] * self.servers, self.servers + 1])
        self.weights = np.concatenate([np.cumprod(self.radix[:0:-1])[::-1], [1]]).astype(np.int64)
        self.choices = self.classes + params.idling

    def jobs(self, rows_SN: np.ndarray) -> np.ndarray:
        return rows_SN[:, : self.classes]

    def serving(self, rows_SN: np.ndarray) -> np.ndarray:
        return rows_SN[:, self.classes : -1]

    def keys(self, rows_SN: np.ndarray) -> np.ndarray:
        """Returns an integer per row that encodes the row; the empty system has 0."""
        return rows_SN @ self.weights

    def legal(self, rows_SN: np.ndarray, server: int) -> np.ndarray:
        """Returns whether each choice of a server (from 0) is legal (S, choices): classes, then idling."""
        waiting_SC = self.jobs(rows_SN).copy()
        for other in range(self.servers):
            busy_S = np.flatnonzero(self.serving(rows_SN)[:, other])
            waiting_SC[busy_S, self.serving(rows_SN)[busy_S, other] - 1] -= 1
        legal_SC = (waiting_SC > 0) & self.can_IC[server]
        if not self.params.idling:
            return legal_SC
        return np.column_stack([legal_SC, legal_SC.any(axis=1)])

    def settled(self, rows_SN: np.ndarray, first_S: np.ndarray) -> np.ndarray:
        """Returns the rows after free servers from `first_S` on have taken their only class.

        It stops at the first server with a choice, which becomes the one that has to decide.
        """
        rows_SN = rows_SN.copy()
        rows_SN[:, -1] = 0
        if self.alike:
            self.serving(rows_SN)[:] = -np.sort(-self.serving(rows_SN), axis=1)
            first_S = np.zeros(len(rows_SN), dtype=int)
        for server in range(self.servers):
            column = self.classes + server
            free_S = np.flatnonzero((rows_SN[:, -1] == 0) & (rows_SN[:, column] == 0) & (first_S <= server))
            legal_SC = self.legal(rows_SN[free_S], server)
            count_S = legal_SC.sum(axis=1)
            rows_SN[free_S[count_S > 1], -1] = server + 1
            rows_SN[free_S[count_S == 1], column] = legal_SC[count_S == 1].argmax(axis=1) + 1
        if self.alike:
            self.serving(rows_SN)[:] = -np.sort(-self.serving(rows_SN), axis=1)
        return rows_SN

    def answered(self, rows_SN: np.ndarray, choice: int) -> np.ndarray:
        """Returns the rows after the server that has to decide has taken a choice."""
        rows_SN = rows_SN.copy()
        asked_S = rows_SN[:, -1].copy()
        rows_SN[np.arange(len(rows_SN)), self.classes + asked_S - 1] = (
            choice + 1 if choice < self.classes else 0
        )
        return self.settled(rows_SN, asked_S)

    def events(self, rows_SN: np.ndarray):
        """Yields the events of rows without a decision: indices of rows, rate, rows after the event."""
        route = self.params.route
        every_S = np.arange(len(rows_SN))
        for job_class, speed in enumerate(self.params.arrival_rates):
            if speed:
                yield every_S, speed, self.moved(rows_SN, -1, job_class)
        for server, job_class in zip(*np.nonzero(self.can_IC), strict=True):
            where_S = np.flatnonzero(rows_SN[:, self.classes + server] == job_class + 1)
            after_SN = rows_SN[where_S]
            after_SN[:, self.classes + server] = 0
            yield (
                where_S,
                self.rate_IC[server, job_class],
                self.moved(after_SN, job_class, route[job_class] - 1),
            )

    def moved(self, rows_SN: np.ndarray, source: int, target: int) -> np.ndarray:
        """Returns the rows after a job has moved between classes (from 0; -1: outside).

        A job that finds no room is lost.
        """
        rows_SN = rows_SN.copy()
        if source >= 0:
            rows_SN[:, source] -= 1
        if target >= 0:
            room_S = (rows_SN[:, target] < self.most_C[target]) & (self.jobs(rows_SN).sum(axis=1) < self.most)
            rows_SN[room_S, target] += 1
        if self.params.preemptive:
            rows_SN[:, self.classes : -1] = 0
        return self.settled(rows_SN, np.zeros(len(rows_SN), dtype=int))

    def all(self) -> np.ndarray:
        """Returns all rows in which a server has a choice or time passes; the empty system comes first."""
        grid_SC = np.indices(tuple(self.most_C + 1)).reshape(self.classes, -1).T
        grid_SC = grid_SC[grid_SC.sum(axis=1) <= self.most]
        rows_SN = np.zeros((len(grid_SC), self.classes + self.servers + 1), dtype=np.int64)
        rows_SN[:, : self.classes] = grid_SC
        if not self.params.preemptive:
            for server in range(self.servers):
                started = [rows_SN]
                for job_class in np.flatnonzero(self.can_IC[server]):
                    held_S = (self.serving(rows_SN) == job_class + 1).sum(axis=1)
                    busy_SN = rows_SN[rows_SN[:, job_class] > held_S]
                    busy_SN[:, self.classes + server] = job_class + 1
                    started.append(busy_SN)
                rows_SN = np.concatenate(started)
        rows_SN = found = self.distinct(self.settled(rows_SN, np.zeros(len(rows_SN), dtype=int)))
        while (found[:, -1] > 0).any():
            asked_SN = found[found[:, -1] > 0]
            legal_SC = self.legal_asked(asked_SN)
            found = np.concatenate([self.answered(asked_SN[legal_SC[:, c]], c) for c in range(self.choices)])
            found = self.distinct(found[found[:, -1] > 0])
            rows_SN = self.distinct(np.concatenate([rows_SN, found]))
        return rows_SN

    def legal_asked(self, rows_SN: np.ndarray) -> np.ndarray:
        """Returns whether each choice of the server that has to decide is legal (S, choices)."""
        legal_SC = np.zeros((len(rows_SN), self.choices), dtype=bool)
        for server in range(self.servers):
            where_S = np.flatnonzero(rows_SN[:, -1] == server + 1)
            legal_SC[where_S] = self.legal(rows_SN[where_S], server)
        return legal_SC

    def distinct(self, rows_SN: np.ndarray) -> np.ndarray:
        return rows_SN[np.unique(self.keys(rows_SN), return_index=True)[1]]
