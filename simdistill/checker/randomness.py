"""Checks of random numbers: runs of one seed, of several, and the keys that they draw by."""

from bisect import bisect_right
from collections import Counter
from itertools import pairwise

from simdistill.checker.failures import Found
from simdistill.checker.probe import OTHER_ANSWERS, Run, Subject, varied


def same_seed(subject: Subject) -> Found:
    """Finds runs of one seed that differ."""
    if subject.main.error is not None and not subject.main.steps:
        return
    again = subject.play(subject.world(), varied)
    if (difference := first_difference(subject.main, again)) is not None:
        yield (
            f"the same seed gives two runs: {difference}",
            "draw random numbers through self.rng(), self.duration(), self.poisson() and self.draw() only, "
            "not from random or numpy.random; keep what changes on self, set in build(), not on the class "
            "or in the module; don't depend on the order of a set, on id() or on the clock",
        )
        return
    renamed = subject.play(subject.world(path=(*subject.path(), 1)), varied)
    if (difference := first_difference(subject.main, renamed)) is not None:
        yield (
            f"the run depends on the seed path itself: with the same numbers and another path, {difference}",
            "don't make random generators of your own from the seed: branches can't give them other "
            "futures; draw through self.rng(), self.duration(), self.poisson() and self.draw()",
        )


def other_seed(subject: Subject) -> Found:
    """Finds runs of several seeds that don't differ."""
    if subject.deterministic or not subject.main.steps or subject.main.error is not None:
        return
    others = [subject.play(subject.world(episode), varied) for episode in (1, 2)]
    if all(first_difference(subject.main, other) is None for other in others):
        yield (
            "a different seed gives the same run",
            "draw random numbers through self.rng(), self.duration(), self.poisson() and self.draw(), not "
            "from a generator with a fixed seed; if nothing is random with these parameters, say "
            "check_simulator(..., deterministic=True)",
        )


def first_difference(one: Run, other: Run) -> str | None:
    """The first thing in which two runs differ."""
    for number, (a, b) in enumerate(zip(one.steps, other.steps, strict=False), start=1):
        names = ("time", "question", "choices", "state", "cost")
        for name, x, y in zip(names, a.shown, b.shown, strict=True):
            if x != y:
                return f"at decision {number} the {name} is {x} in one and {y} in the other"
    if len(one.steps) != len(other.steps):
        return f"one has {len(one.steps)} decisions, the other {len(other.steps)}"
    return None


def streams(subject: Subject) -> Found:
    """Finds keys that are used twice, and entities that are counted by what decisions change."""
    for run in (subject.main, subject.perturbed[0]):
        counted = Counter(draw.key for draw in run.draws)
        for source in dict.fromkeys(draw.key[0] for draw in run.draws):
            again = [key for key, count in counted.items() if count > 1 and key[0] == source]
            if again:
                _, entity, visit = again[0]
                yield (
                    f"a stream key is used {counted[again[0]]} times in one run, for {source!r} of entity "
                    f"{entity}, visit {visit}: the same number again",
                    "give every draw a key of its own: another source, the number of the entity that it is "
                    "for, or visit=… for the second time of the same entity; a number that is needed twice "
                    "is kept",
                )
                break
        for source, rates in run.world.rates.items():
            if len(rates) > 1:
                yield (
                    f"the Poisson source {source!r} has several rates, "
                    f"{', '.join(f'{r:g}' for r in sorted(rates)[:4])}",
                    "a source of poisson() keeps its rate for the whole episode; give each rate a source "
                    "of its own, or use duration()",
                )
            if any(draw.key[0] == source for draw in run.draws):
                yield (
                    f"{source!r} is a source of poisson() and of duration() or draw() as well",
                    "give each a source of its own: they would share their numbers",
                )
    yield from _counted(*subject.perturbed[:2])


def _counted(one: Run, other: Run) -> Found:
    """Finds entities numbered by a count that decisions change.

    Such a source uses 0, 1, 2, … without gaps in both runs, and after the runs have been answered alike again
    it stays behind in one of them by more than the states can account for.
    """
    shared = {draw.key[0] for draw in one.draws} & {draw.key[0] for draw in other.draws}
    for source in sorted(shared):
        drawn = [_positions(run, source) for run in (one, other)]
        if not all(drawn):
            continue
        leads = []
        for step in one.steps[OTHER_ANSWERS:]:
            index = bisect_right(other.steps, step.time, key=lambda passed: passed.time) - 1
            if not OTHER_ANSWERS <= index < len(other.steps) - 1:
                continue
            twin = other.steps[index]
            counts = bisect_right(drawn[0], step.drawn - 1), bisect_right(drawn[1], twin.drawn - 1)
            apart = sum(abs(x - y) for x, y in zip(step.numbers, twin.numbers, strict=False))
            leads.append((counts[0] - counts[1], apart))
        leads = leads[len(leads) // 2 :]
        explained = [abs(lead) <= max(4, apart + 2) for lead, apart in leads]
        if len(leads) >= 10 and sum(explained) <= len(leads) / 10:
            yield (
                f"the numbers of {source!r} are counted by something that decisions change: two runs of one "
                f"seed that differ in {OTHER_ANSWERS} answers stay {abs(leads[-1][0])} entities apart, so "
                "the same key is for different things",
                "number the entity as the world does, whatever is decided: by the arrival's index, the "
                "period, or the number of its parent with visit=…",
            )


def _positions(run: Run, source: str) -> list[int]:
    """Where in a run a source's numbers were drawn; empty unless its entities are counted without gaps."""
    found = [
        (index, draw.key)
        for index, draw in enumerate(run.draws)
        if draw.key[0] == source and draw.distribution is not None
    ]
    entities = [key[1] for _, key in found]
    if len(entities) < 10 or any(b - a != 1 for a, b in pairwise(entities)):
        return []
    return [index for index, _ in found]
