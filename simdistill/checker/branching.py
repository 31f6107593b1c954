"""Checks of branches: that they replay, and know nothing of the future."""

import math
from collections.abc import Callable, Iterator
from itertools import combinations

from simdistill.checker import draws
from simdistill.checker.failures import Found
from simdistill.checker.probe import (
    OTHER_ANSWERS,
    Key,
    Run,
    Step,
    Subject,
    after,
    scattered,
)
from simdistill.checker.randomness import first_difference
from simdistill.simulation.streams import Streams, World


def branches(subject: Subject) -> Found:
    """Finds branches that don't come back to their decision, and states that reveal the future."""
    run = subject.main
    for index in _some(len(run.steps)):
        step = run.steps[index]
        for future in range(3):
            replayed = subject.branch(
                World(Streams(subject.path())), index, future, step.taken, run, decisions=index + 1
            )
            if len(replayed.steps) <= index:
                end = f": {replayed.error}" if replayed.error is not None else ""
                yield (
                    f"a branch doesn't replay: it never came back to the decision at time {step.time:g}{end}",
                    _REPLAY,
                )
                return
            found = replayed.steps[index]
            if (found.time, found.labels) != (step.time, step.labels):
                yield (
                    f"a branch doesn't replay: in place of the decision at time {step.time:g} between "
                    f"{', '.join(map(str, step.labels))} it came to one at time {found.time:g} between "
                    f"{', '.join(map(str, found.labels))}",
                    _REPLAY,
                )
                return
            if found.state != step.state:
                yield (
                    f"the state at time {step.time:g} reveals the future: it is {step.state}, but "
                    f"{found.state} if what is still under way ends at another time",
                    "observe() must not show when a running activity will end; show since when it runs, or "
                    "draw what is known beforehand with self.draw()",
                )
                return


_REPLAY = (
    "draw random numbers through self.rng(), self.duration(), self.poisson() and self.draw() only, yield "
    "durations as they are, and let nothing depend on how long something that is still running will last"
)


def _some(count: int) -> list[int]:
    """A few of the decisions of a run, dense at its beginning."""
    wanted = [0, 1, 2, 4, 7, 11, 18, 29, 47, 76, 110]
    return [index for index in wanted if index < count]


def clairvoyance(subject: Subject) -> Found:
    """Changes numbers that the past hasn't revealed; the futures of a branch must not notice."""
    run, told = subject.main, set()
    places = (0, 2, 7, 18, 40) if any(draw.key[2] == draws.RNG for draw in run.draws) else (2, 7, 18, 40)
    for index in (index for index in places if index < len(run.steps)):
        for hidden in _hidden(subject, run, index):
            source, entity, kind = next(iter(hidden))
            if (source, kind) in told:
                continue
            pasts = [World(Streams(subject.path())), subject.world(altered=hidden)]
            for choice in run.steps[index].labels[:3]:
                limits = {"decisions": index + 25}
                seen, other = (subject.branch(past, index, 0, choice, run, **limits) for past in pasts)
                difference = first_difference(seen, other)
                if difference is None and kind == draws.RNG:
                    difference = draws.ends_apart(seen, other)
                if difference is not None:
                    if kind == draws.RNG:
                        told.add((source, kind))
                        yield draws.leak(subject, index, tuple(hidden))
                        break
                    yield (
                        "equal states don't have equal what-if values: after the decision at time "
                        f"{run.steps[index].time:g} every future depends on {source!r} of entity {entity}, "
                        f"which was drawn before and which nothing has revealed yet ({difference})",
                        "a branch knows what draw() has returned. Draw the length of an activity with "
                        "self.duration() when it begins, and other numbers when they are first needed; or "
                        "show the number in observe(). If it is part of a state that this decider doesn't "
                        "see, let fingerprint() contain it",
                    )
                    return


def _hidden(subject: Subject, run: Run, index: int) -> Iterator[dict[Key, Callable[[float], float]]]:
    """Changes of drawn numbers that leave everything up to a decision as it was, one for each source."""
    answers = [step.taken for step in run.steps[:index]]
    keys = [draw.key for draw in run.draws[: run.steps[index].drawn] if draw.end is None]
    for source, kind in list(dict.fromkeys((key[0], key[2] == draws.RNG) for key in reversed(keys)))[:8]:
        numbered = sorted(key for key in keys if (key[0], key[2] == draws.RNG) == (source, kind))
        for change in (_longer, _shorter):

            def unnoticed(start: int, numbered=numbered, change=change) -> bool:
                world = subject.world(altered=dict.fromkeys(numbered[start:], change))
                other = subject.play(world, after(answers, scattered), decisions=index + 1)
                return draws.alike(run, other, index)

            low, high = 0, len(numbered) - 1
            if not unnoticed(high):
                continue
            while high - low > len(numbered) / 50:  # a few less than possible are as good
                middle = (low + high) // 2
                low, high = (low, middle) if unnoticed(middle) else (middle + 1, high)
            yield dict.fromkeys(numbered[high:], change)
            break


def _longer(u: float) -> float:
    return 0.5 + 0.5 * u


def _shorter(u: float) -> float:
    return 0.5 * u


def fingerprints(subject: Subject) -> Found:
    """Finds fingerprints that leave something out."""
    for step in subject.main.steps:
        if step.mark is None:
            yield "fingerprint() isn't there: what-if branches that have become equal can't stop early"
            return
        try:
            hash(step.mark)
        except TypeError as error:
            yield f"fingerprint() can't be hashed: {error}", "return a tuple of numbers and tuples, not lists"
            return
    for one, other in combinations(subject.perturbed, 2):
        if (apart := _parted(one, other)) is not None:
            equal, a, b = apart
            yield (
                f"fingerprint() leaves something out: two runs are equal by it at time {equal.time:g} "
                f"({equal.mark!r}), and with equal answers they differ at time {min(a.time, b.time):g}: "
                f"{a.state} at {a.time:g} and {b.state} at {b.time:g}",
                "return all that the future depends on: who waits where, what is under way and when it ends, "
                "and the numbers of entities that keys of later draws contain; or don't implement it",
            )
            return


def _parted(one: Run, other: Run) -> tuple[Step, Step, Step] | None:
    """Where two runs were equal by their fingerprints, and where they differed all the same."""
    where: dict[tuple, int] = {}
    for index, step in enumerate(other.steps):
        where.setdefault((step.time, step.asked, step.mark), index)
    for index, step in enumerate(one.steps):
        twin = where.get((step.time, step.asked, step.mark))
        if twin is None:
            continue
        alike = len(one.steps) if min(index, twin) >= OTHER_ANSWERS else 1
        for a, b in zip(one.steps[index : index + alike], other.steps[twin:], strict=False):
            costs = a.cost - step.cost, b.cost - other.steps[twin].cost
            same = math.isclose(*costs, rel_tol=1e-6, abs_tol=1e-6)
            if (a.time, a.labels, a.state) != (b.time, b.labels, b.state) or not same:
                return step, a, b
    return None
