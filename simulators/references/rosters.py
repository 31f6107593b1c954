"""Search by simulation for a good roster of a process with staffing decisions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from simdistill.simulation import EPISODE, TEST, VALIDATION, Parameters, Policy, ProcessModel
from simdistill.simulation.rollout import replicate
from simdistill.statistics import Estimate, mean_estimate

Slot = tuple[int, int]
"""Period and team, both counted from 0."""

LONGEST = 1e6


@dataclass
class Roster:
    """A policy that staffs each period as planned; another policy makes all other decisions.

    Attributes:
        slot: State -> slot of the roster that the decision staffs; None for other decisions.
        otherwise: Policy that decides where the roster has no entry.
        staff: Slot -> number of staff on duty.
    """

    slot: Callable[[dict], Slot | None]
    otherwise: Policy
    staff: dict[Slot, int] = field(default_factory=dict)

    def __call__(self, state: dict, choices: Sequence[str]) -> str:
        planned = self.staff.get(self.slot(state))  # type: ignore[arg-type]
        return self.otherwise(state, choices) if planned is None else str(planned)


@dataclass(frozen=True)
class BestKnown:
    """The best roster that the search found; a better one may exist.

    Attributes:
        roster: The roster, as a policy.
        cost: Mean cost of an episode, with random numbers that the search didn't use.
        saving: Mean cost of the initial policy minus that of the roster, with common random numbers.
    """

    roster: Roster
    cost: Estimate
    saving: Estimate


def best_known(
    simulator: type[ProcessModel],
    params: Parameters,
    start: Policy,
    slot: Callable[[dict], Slot | None],
    replications: int = 40,
    seed: int = 0,
) -> BestKnown:
    """Searches for the best roster by adding or removing one person in one slot, with common random numbers.

    Args:
        simulator: Class of the simulator; its episodes must end.
        params: Parameters of the process.
        start: Initial policy: its staffing in one episode is the initial roster; it also makes all other
            decisions.
        slot: State -> slot of the roster that the decision staffs; None for other decisions.
        replications: Number of episodes in which each roster is evaluated.
        seed: Root seed.
    """

    def costs(policy: Policy, split: int, count: int) -> np.ndarray:
        paths = [(seed, split, EPISODE, number) for number in range(count)]
        return np.array([replicate(simulator, params, policy, p, 0.0, LONGEST, True).cost for p in paths])

    limits: dict[Slot, tuple[int, int]] = {}
    roster = Roster(slot, start)

    def first(state: dict, choices: Sequence[str]) -> str:
        label, place = start(state, choices), slot(state)
        if place is not None:
            roster.staff[place], limits[place] = int(label), (int(choices[0]), int(choices[-1]))
        return label

    costs(first, VALIDATION, 1)
    best, improved = costs(roster, VALIDATION, replications).mean(), True
    while improved:
        improved = False
        for place, (fewest, most) in limits.items():
            for step in (-1, 1):
                staff = roster.staff[place] + step
                if not fewest <= staff <= most:
                    continue
                other = Roster(slot, start, {**roster.staff, place: staff})
                cost = costs(other, VALIDATION, replications).mean()
                if cost < best:
                    roster, best, improved = other, cost, True
                    break
    found, before = costs(roster, TEST, replications), costs(start, TEST, replications)
    return BestKnown(roster, mean_estimate(found), mean_estimate(before - found))
