"""Checks of draws from generators: what of those under way a branch draws again, and what it can't."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from simdistill.checker.failures import Found
from simdistill.checker.probe import Key, RecordingWorld, Run, Subject, after, scattered
from simdistill.checker.recording import RNG
from simdistill.simulation.streams import SAMPLE, Streams, World, generator

PLACES = (0, 1, 2, 4, 7, 11, 18, 29, 47, 76, 110)
"""Numbers of the decisions at which it is looked what is under way."""

HISTORIES, FUTURES, TRIES = 8, 12, 60
"""Pasts of one state whose what-if differences are compared, futures of each, and pasts that are tried."""

RARE, SMALL = 1e-3, 0.1
"""A bias is a problem if it would be so rare by chance, and if it is so large beside one future's noise."""

AHEAD = 25
"""Decisions of the run in whose time a difference is added up."""

MOST_PLACES = 4
"""Lines of the model that are named in one message."""

ADVICE = (
    "draw a number when it is used, `yield self.env.timeout(rng.exponential(5.0))`, not before it is "
    "needed; or take the length of an activity from self.duration(), which belongs to the future as long "
    "as it lasts. What is known already, such as a job's size or who is at a desk, belongs in observe() "
    "or, if this decider mustn't see it, in fingerprint()"
)


def draws(subject: Subject) -> Found:
    """Counts draws under way at decisions that belong to the future, and those that can't."""
    run = subject.main
    if run.error is not None or all(draw.key[2] != RNG for draw in run.draws):
        return
    past, counts, known = World(Streams(subject.path())), Counter(), Counter()
    places = [index for index in PLACES if index < len(run.steps)]
    for index in places:
        found = subject.redrawing(past, run, index)
        found.again(Streams((*subject.path(), 1)))
        counts["again"] += sum(len(group.draws) for group in found.hidden)
        counts.update(found.counts)
        known.update(called(run, (draw.source, draw.count, RNG)) for draw in found.known)
    told = f"rng: at {_counted(len(places), 'decision')} {_counted(counts['again'], 'draw')} under way"
    told += f" {'was' if counts['again'] == 1 else 'were'} drawn again"
    if not counts["again"]:
        told = f"rng: at {_counted(len(places), 'decision')} no draw under way had to be drawn again"
    if known:
        names = ", ".join(f"{name} ({count})" for name, count in known.most_common(4))
        told += f"; {known.total()} kept their values, because the past depends on them: {names}"
    if counts["tries used up"]:
        told += f"; {counts['tries used up']} kept their values, because no other one was found that fits"
    if counts["not noted"]:
        told += f"; at {counts['not noted']} the past couldn't be replayed with numbers that are traced"
    yield told
    if arrays := run.world.sources.arrays:
        yield (
            f"{_counted(len(arrays), 'draw')} of whole arrays, {_places(run, arrays)}: every future of a "
            "decision knows the numbers that are used after it; draw numbers one by one, when they are used"
        )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def called(run: Run, key: Key) -> str:
    """Returns source, method and line of a draw in words."""
    method, arguments, line = run.world.sources.calls.get(key, ("", "", "?"))
    return f"{key[0]!r}, {method}({arguments}) at {line}"


@dataclass(frozen=True)
class Bias:
    """How much what-if differences depend on draws that the state doesn't show.

    Attributes:
        kept: Standard deviation over histories of one state of the mean difference between two choices.
        again: The same if those draws belonged to the future: what is left is the noise of as many futures.
        noise: Standard deviation of the difference over futures then.
        chance: Probability of so much by chance.
    """

    kept: float
    again: float
    noise: float
    chance: float

    @property
    def significant(self) -> bool:
        return self.chance < RARE and self.kept > SMALL * self.noise

    def __str__(self) -> str:
        return (
            "over histories of one state the what-if difference between two choices has a standard deviation "
            f"of {self.kept:.3g}, and {self.again:.3g} if these numbers belonged to the future"
        )


def bias(subject: Subject, index: int, keys: Sequence[Key]) -> Bias | None:
    """Measures the bias that draws cause which a decision's past hasn't revealed.

    Other values are tried for them until the past is the same with them (rejection).

    Args:
        subject: The model.
        index: Number of the decision.
        keys: Keys of the draws.

    Returns:
        The bias; None if too few pasts, or no two choices, are there to compare.
    """
    run = subject.main
    if len(run.steps[index].labels) < 2:
        return None
    pasts = [world for _, world in zip(range(HISTORIES), _pasts(subject, index, keys), strict=False)]
    if len(pasts) < 3:
        return None
    difference_HK = np.array(
        [[_difference(subject, run, index, past, k) for k in range(FUTURES)] for past in pasts]
    )
    return _bias(difference_HK) if np.isfinite(difference_HK).all() else None


def _bias(difference_HK: np.ndarray) -> Bias:
    """A two-way analysis of variance: the futures are the same for every history."""
    histories, futures = difference_HK.shape
    mean_H, mean_K = difference_HK.mean(axis=1), difference_HK.mean(axis=0)
    rest_HK = difference_HK - mean_H[:, None] - mean_K + difference_HK.mean()
    between = futures * mean_H.var(ddof=1)
    within = (rest_HK**2).sum() / ((histories - 1) * (futures - 1))
    chance = (
        float(stats.f.sf(between / within, histories - 1, (histories - 1) * (futures - 1)))
        if within
        else (float(between == 0))
    )
    noise = float(difference_HK.std(ddof=1))
    return Bias(float(mean_H.std(ddof=1)), noise / math.sqrt(futures), noise, chance)


def leak(subject: Subject, index: int, keys: Sequence[Key]) -> tuple[str, str] | str:
    """Returns what is to be said of draws that a decision's futures know and its past hasn't revealed.

    Args:
        subject: The model.
        index: Number of the decision.
        keys: Keys of the draws.
    """
    run = subject.main
    past = World(Streams(subject.path()))
    again = {
        (draw.source, draw.count)
        for group in subject.redrawing(past, run, index).hidden
        for draw in group.draws
    }
    kept = [key for key in keys if key[:2] not in again] or list(keys)
    where = f"at the decision at time {run.steps[index].time:g}"
    draws = f"{_counted(len(kept), 'draw')} of {_places(run, kept)}"
    found = bias(subject, index, keys)
    if found is not None and found.significant:
        unequal = "equal states don't have equal what-if values"
        return f"{unequal}: {where} {draws} kept what nothing has revealed yet; {found}", ADVICE
    matters = f"no harm of it could be measured: {found}" if found else "what that does couldn't be measured"
    return f"{where} the futures know {draws}, which the state doesn't show; {matters}; {ADVICE}"


def _places(run: Run, keys: Sequence[Key]) -> str:
    """Where some draws were drawn, each line once."""
    places = list(dict.fromkeys(called(run, key) for key in keys))
    return "; ".join(places[:MOST_PLACES]) + ("; …" if len(places) > MOST_PLACES else "")


def _pasts(subject: Subject, index: int, keys: Sequence[Key]) -> Iterator[RecordingWorld]:
    """Pasts with other values of some draws that come to the decision in the same way."""
    run, uniform = subject.main, generator((*subject.path()[:2], SAMPLE, index))
    answers = [step.taken for step in run.steps[:index]]
    for _ in range(TRIES):
        numbers = dict(zip(keys, uniform.random(len(keys)).tolist(), strict=True))
        altered = {key: (lambda u, number=number: number) for key, number in numbers.items()}
        played = subject.play(subject.world(altered=altered), after(answers, scattered), decisions=index + 1)
        if alike(run, played, index):
            yield subject.world(altered=altered)


def alike(run: Run, other: Run, index: int) -> bool:
    """Whether two runs came to a decision in the same way."""
    return (
        len(other.steps) == index + 1
        and all(a.shown == b.shown for a, b in zip(run.steps, other.steps, strict=False))
        and other.steps[index].mark == run.steps[index].mark
    )


def ends_apart(one: Run, other: Run) -> str | None:
    """How the costs of two runs differ that have come to their end; None if they don't."""
    if not (one.ended and other.ended) or one.model is None or other.model is None:
        return None
    costs = [run.model.cost() + run.model.final_cost() for run in (one, other) if run.model is not None]
    return None if costs[0] == costs[1] else f"at the end one has cost {costs[0]:g}, the other {costs[1]:g}"


def _difference(subject: Subject, run: Run, index: int, past: World, future: int) -> float:
    """What one choice costs more than another in one future, over the time of some decisions."""
    costs, last = [], min(index + AHEAD, len(run.steps) - 1)
    end = subject.until if run.ended and last < index + AHEAD else run.steps[last].time
    for choice in run.steps[index].labels[:2]:
        branch = subject.branch(past, index, future, choice, run, decisions=index + 10 * AHEAD, until=end)
        if branch.error is not None or branch.model is None:
            return math.nan
        cost = branch.model.cost(None if end == math.inf else end)
        costs.append(cost + (branch.model.final_cost() if branch.model.ended else 0.0))
    return costs[1] - costs[0]
