"""The best known roster of a process with staffing decisions, by simulation optimisation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from simdistill.simulation import EPISODE, TEST, VALIDATION, Parameters, Policy, ProcessModel
from simdistill.simulation.rollout import replicate
from simdistill.statistics import Estimate, mean_estimate

Slot = tuple[int, int]
"""A period and a team, both from 0."""

LONGEST = 1e6


@dataclass
class Roster:
    """Staffs each period as planned beforehand; everything else is decided by another policy.

    Attributes:
        slot: State -> slot of the roster that its decision fills, None for other decisions.
        otherwise: Decides where the roster has no entry.
        staff: Slot -> number on duty.
    """

    slot: Callable[[dict], Slot | None]
    otherwise: Policy
    staff: dict[Slot, int] = field(default_factory=dict)

    def __call__(self, state: dict, choices: Sequence[str]) -> str:
        planned = self.staff.get(self.slot(state))  # type: ignore[arg-type]
        return self.otherwise(state, choices) if planned is None else str(planned)


@dataclass(frozen=True)
class BestKnown:
    """The best roster that was found; a better one may exist.

    Attributes:
        roster: The policy.
        cost: Of an episode, on random numbers that the search didn't see.
        saving: Cost of the policy that the search started from minus that of the roster, on the same numbers.
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
    """Searches rosters slot by slot, one more or one fewer, on common random numbers.

    Args:
        simulator: The process; an episode must end.
        params: Its parameters.
        start: Its staffing in the first episode is the first roster; it also decides everything else.
        slot: State -> slot of the roster that its decision fills, None for other decisions.
        replications: Episodes that a roster is judged by.
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
