"""`check_simulator()`: what is wrong with a process model, and what its author can do about it.

The model is run many times: with one seed twice, with other seeds, with other answers, and branched under
other futures. What may not differ is compared exactly, and only values in equal states statistically.
"""

import copy
import json
import math
import traceback
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from scipy import stats

from simdistill.errors import InputError, ProcessError
from simdistill.process.model import WAIT, Parameters, ProcessModel
from simdistill.process.probe import (
    OTHER_ANSWERS,
    Key,
    Run,
    Step,
    Subject,
    after,
    scattered,
    text_of,
    varied,
    varied_by,
)
from simdistill.process.rollout import RandomPolicy, follow, started, unsendable
from simdistill.process.streams import FUTURE, BranchedWorld, Streams, World
from simdistill.process.whatif import replay

RARE = 1e-6
"""Probability below which values of equal states count as different."""


@dataclass(frozen=True)
class Problem:
    """Something wrong with a process model.

    Attributes:
        check: Which check found it.
        message: What is wrong, where, and the value.
        advice: What to do.
    """

    check: str
    message: str
    advice: str

    def __str__(self) -> str:
        return f"{self.message}\n  {self.advice}"


@dataclass(frozen=True)
class CheckReport:
    """What the checks of a process model found.

    Attributes:
        simulator: Name of the class.
        checks: Names of the checks, in order.
        problems: All that is wrong.
        notes: What couldn't be checked, and what would help.
    """

    simulator: str
    checks: tuple[str, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.simulator}: {len(self.problems) or 'no'} problem{'s' * (len(self.problems) != 1)}"]
        lines += [f"\n{problem.check}: {problem}" for problem in self.problems]
        lines += [f"\nnote: {note}" for note in self.notes]
        return "\n".join(lines)


class CheckError(InputError):
    """A process model has problems; `report` holds them, the message tells them all."""

    def __init__(self, report: CheckReport):
        super().__init__(str(report))
        self.report = report


def check_simulator(
    simulator: type[ProcessModel],
    params: Parameters | Mapping | None = None,
    *,
    seed: int = 0,
    deterministic: bool = False,
) -> CheckReport:
    """Checks that a process model keeps the promises on which branching, teaching and examining rest.

    Args:
        simulator: The class to check.
        params: Its parameters; None for the defaults.
        seed: Root of the seeds of all runs.
        deterministic: Says that nothing is random with these parameters, so every seed may give the same run.

    Returns:
        A report without problems, with notes on what couldn't be checked.

    Raises:
        CheckError: With a report of all that is wrong.
        InputError: If the parameters aren't valid.
    """
    report = inspect_simulator(simulator, params, seed=seed, deterministic=deterministic)
    if report.problems:
        raise CheckError(report)
    return report


def inspect_simulator(
    simulator: type[ProcessModel],
    params: Parameters | Mapping | None = None,
    *,
    seed: int = 0,
    deterministic: bool = False,
) -> CheckReport:
    """Does what `check_simulator` does, and returns the report whatever it says."""
    if not (isinstance(simulator, type) and issubclass(simulator, ProcessModel)):
        raise InputError(f"check_simulator needs a subclass of ProcessModel, got {simulator!r}")
    subject = Subject(simulator, simulator.parse(params), seed, deterministic)
    problems: dict[tuple[str, str], Problem] = {}
    notes: list[str] = []
    for name, check in CHECKS.items():
        for found in check(subject):
            if isinstance(found, str):
                notes.append(found)
            else:
                message, advice = found
                problems.setdefault((name, message), Problem(name, message, advice))
    return CheckReport(
        simulator.__name__, tuple(CHECKS), tuple(problems.values()), tuple(dict.fromkeys(notes))
    )


# The checks: each yields (message, advice) for what is wrong, and a note for what it can't tell.

Found = Iterator[tuple[str, str] | str]

_CAUSES = (
    ("offers no choice", "choices",
     "ask only when there is something to choose, or give decide() a choice for doing nothing; a question "
     "that has lost its point is taken back with decision.withdraw()"),
    ("max_choices is", "choices",
     "set max_choices (a number, or a property of the parameters) to the most choices that a question can "
     "have"),
    ("events passed without a decision", "decisions",
     "see that some process always comes to `answer = yield self.decide(...)` again, or let the process end; "
     "where so long a silence is right, raise max_silent_events"),
    ("Negative delay", "time",
     "a timeout was negative: use a distribution of non-negative numbers, and don't subtract times "
     "without max(0, …)"),
    ("time went from", "time",
     "schedule events with env.timeout(delay) and delays that are numbers of at least 0, not with "
     "env.schedule()"),
    ("cost '", "cost",
     "look for a division by zero, inf - inf or an empty mean in what goes to cost_rate(), charge()"),
    ("fallback() returned", "illegal answers", "let fallback(decision) return one of decision.labels"),
)  # fmt: skip


def _failed(error: Exception) -> tuple[str, tuple[str, str]]:
    """Which check an error belongs to, what it says and what to do."""
    reason = error.reason if isinstance(error, ProcessError) else f"{type(error).__name__}: {error}"
    place = _place(error)
    where = f" at time {error.time:g}" if isinstance(error, ProcessError) else ""
    for words, check, advice in _CAUSES:
        if words in reason:
            return check, (f"{reason}{where}{place}", advice)
    if isinstance(error, NotImplementedError):
        return "runs", (str(error), "a process model needs build(self) and observe(self, decision)")
    return "runs", (f"{reason}{where}{place}", "the process must not fail, whatever is answered")


def _place(error: BaseException) -> str:
    """The line of the author's own code in which an error arose."""
    while error.__cause__ is not None:
        error = error.__cause__
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "/simpy/" not in frame.filename and "/simdistill/process/" not in frame.filename
    ]
    return f" ({frames[-1].filename}, line {frames[-1].lineno}: {frames[-1].line})" if frames else ""


def _runs(check: str) -> Callable[["Subject"], Found]:
    """Makes the check that tells failures of one kind, of any run."""

    def found(subject: Subject) -> Found:
        for run in (subject.main, *subject.perturbed):
            if run.error is not None and (failure := _failed(run.error))[0] == check:
                yield failure[1]
                return

    return found


def _decisions(subject: Subject) -> Found:
    run = subject.main
    if run.error is None and not run.steps and run.model is not None:
        if any(not decision.callbacks for decision in run.model._pending):
            yield (
                f"decide() was called, but no process waits for its answer; the run ended at time "
                f"{run.model.env.now:g}",
                "write `answer = yield self.decide(...)`",
            )
        else:
            yield (
                f"a decision never comes: the process ended at time {run.model.env.now:g} without a question",
                "start the processes in build() with self.env.process(...), and let one of them come to "
                "`answer = yield self.decide(...)` with at least two choices",
            )
    yield from _runs("decisions")(subject)


def _choices(subject: Subject) -> Found:
    yield from _runs("choices")(subject)
    for step in subject.main.steps:
        wrong = [label for label in step.labels if not isinstance(label, str)]
        if wrong:
            yield (
                f"{step.question!r} has the choice {wrong[0]!r}, which is no text",
                "labels are strings; to get another object back, give a mapping from labels to objects",
            )
            return


def _states(subject: Subject) -> Found:
    run = subject.main
    for step in run.steps:
        if not isinstance(step.observed, dict):
            yield (
                f"observe() returned {step.observed!r}, not a dict",
                "return a dict with a name for each value",
            )
            return
        if (wrong := _not_json(step.observed)) is not None:
            where, value, advice = wrong
            yield f"the state isn't JSON: state{where} is {value!r}, a {type(value).__name__}", advice
            break
    for step in run.steps:
        if not step.steady:
            yield (
                "observe() shows something else when it looks twice at the same instant, at time "
                f"{step.time:g}: first {step.state}",
                "observe() must not change the process and must not draw random numbers",
            )
            break
    for step in run.steps:
        if text_of(step.observed) != step.state:
            yield (
                f"a state changes after it was observed: at time {step.time:g} it was {step.state}, later "
                f"the same object says {text_of(step.observed)}",
                "observe() hands out the process's own list or dict; return a copy, as in list(self.jobs)",
            )
            break
    for first, step in zip(run.steps, run.steps[1:], strict=False):
        if len(step.numbers) != len(first.numbers):
            yield (
                f"observe() gave {len(first.numbers)} numbers at time {first.time:g} and "
                f"{len(step.numbers)} at time {step.time:g}",
                "give the same numbers at every decision, with 0 where there is nothing; a Gymnasium "
                "observation has a fixed size",
            )
            break


def _not_json(value: Any, where: str = "") -> tuple[str, Any, str] | None:
    """The first thing in a value that JSON doesn't know: where, what, and what to do."""
    if isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str):
                return f"{where} has the key {key!r}; it", key, "write keys as text, as in str(server)"
            if (found := _not_json(part, f"{where}[{key!r}]")) is not None:
                return found
        return None
    if isinstance(value, list | tuple):
        found = (_not_json(part, f"{where}[{index}]") for index, part in enumerate(value))
        return next((wrong for wrong in found if wrong is not None), None)
    if isinstance(value, float) and not math.isfinite(value):
        return where, value, "JSON has no infinity and no NaN; show a number, or None"
    if value is None or isinstance(value, str | int | float):
        return None
    if isinstance(value, np.generic | np.ndarray):
        return where, value, "turn numpy's values into Python's with .item() or .tolist()"
    return (
        where,
        value,
        "show numbers, text, lists and dicts; of an entity show what the decider may know of it",
    )


def _same_seed(subject: Subject) -> Found:
    again = subject.play(subject.world(), varied)
    if (difference := _difference(subject.main, again)) is not None:
        yield (
            f"the same seed gives two runs: {difference}",
            "draw random numbers through self.duration(), self.poisson() and self.draw() only, not from "
            "random or numpy.random; keep what changes on self, set in build(), not on the class or in the "
            "module; don't depend on the order of a set, on id() or on the clock",
        )
        return
    told = subject.play(subject.world(path=(*subject.path(), 1)), varied)
    if (difference := _difference(subject.main, told)) is not None:
        yield (
            f"the run depends on the seed path itself: with the same numbers and another path, {difference}",
            "don't make random generators of your own from the seed: branches can't give them other "
            "futures; draw through self.duration(), self.poisson() and self.draw()",
        )


def _other_seed(subject: Subject) -> Found:
    if subject.deterministic or not subject.main.steps:
        return
    others = [subject.play(subject.world(episode), varied) for episode in (1, 2)]
    if all(_difference(subject.main, other) is None for other in others):
        yield (
            "a different seed gives the same run",
            "draw random numbers through self.duration(), self.poisson() and self.draw(), not from a "
            "generator with a fixed seed; if nothing is random with these parameters, say "
            "check_simulator(..., deterministic=True)",
        )


def _difference(one: Run, other: Run) -> str | None:
    """The first thing in which two runs differ."""
    for number, (a, b) in enumerate(zip(one.steps, other.steps, strict=False), start=1):
        names = ("time", "question", "choices", "state", "cost")
        for name, x, y in zip(names, a.shown, b.shown, strict=True):
            if x != y:
                return f"at decision {number} the {name} is {x} in one and {y} in the other"
    if len(one.steps) != len(other.steps):
        return f"one has {len(one.steps)} decisions, the other {len(other.steps)}"
    return None


def _streams(subject: Subject) -> Found:
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
            index = bisect_right(other.steps, step.time, key=lambda met: met.time) - 1
            if not OTHER_ANSWERS <= index < len(other.steps) - 1:
                continue
            met = other.steps[index]
            counts = bisect_right(drawn[0], step.drawn - 1), bisect_right(drawn[1], met.drawn - 1)
            apart = sum(abs(x - y) for x, y in zip(step.numbers, met.numbers, strict=False))
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
    found = [(index, draw.key) for index, draw in enumerate(run.draws) if draw.key[0] == source]
    entities = [key[1] for _, key in found]
    if len(entities) < 10 or any(b - a != 1 for a, b in pairwise(entities)):
        return []
    return [index for index, _ in found]


def _branches(subject: Subject) -> Found:
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
                    f"the state at time {step.time:g} tells the future: it is {step.state}, but "
                    f"{found.state} if what is still under way ends at another time",
                    "observe() must not show when a running activity will end; show since when it runs, or "
                    "draw what is known beforehand with self.draw()",
                )
                return


_REPLAY = (
    "draw random numbers through self.duration(), self.poisson() and self.draw() only, yield durations as "
    "they are, and let nothing depend on how long something that is still running will last"
)


def _some(count: int) -> list[int]:
    """A few of the decisions of a run, dense at its beginning."""
    wanted = [0, 1, 2, 4, 7, 11, 18, 29, 47, 76, 110]
    return [index for index in wanted if index < count]


def _clairvoyance(subject: Subject) -> Found:
    """Changes numbers that the past hasn't revealed; the futures of a branch must not notice."""
    run = subject.main
    for index in (index for index in (2, 7, 18, 40) if index < len(run.steps)):
        for hidden in _hidden(subject, run, index):
            pasts = [World(Streams(subject.path())), subject.world(altered=hidden)]
            for choice in run.steps[index].labels[:3]:
                limits = {"decisions": index + 25}
                seen, other = (subject.branch(past, index, 0, choice, run, **limits) for past in pasts)
                if (difference := _difference(seen, other)) is not None:
                    (source, entity, _), *_ = hidden
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
    for source in list(dict.fromkeys(key[0] for key in reversed(keys)))[:8]:
        numbered = sorted(key for key in keys if key[0] == source)
        for change in (_longer, _shorter):

            def unnoticed(start: int, numbered=numbered, change=change) -> bool:
                world = subject.world(altered=dict.fromkeys(numbered[start:], change))
                other = subject.play(world, after(answers, scattered), decisions=index + 1)
                return (
                    len(other.steps) == index + 1
                    and all(a.shown == b.shown for a, b in zip(run.steps, other.steps, strict=False))
                    and other.steps[index].mark == run.steps[index].mark
                )

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


HISTORIES, FUTURES = 40, 6
"""Pasts of one state whose values are compared, and futures of each."""


def _values(subject: Subject) -> Found:
    """Compares what-if values over many histories of one state (one-way analysis of variance)."""
    if subject.deterministic:
        return
    runs: list[Run] = []
    met: dict[tuple, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    histories: dict[int, list[int]] = {}
    for episode in range(HISTORIES + 20):
        runs.append(subject.play(subject.world(episode), varied_by(episode), decisions=30))
        for index, step in enumerate(runs[-1].steps[1:], start=1):
            if not step.ages:
                met[step.state, step.labels, repr(step.mark)][episode].append(index)
        histories = max(met.values(), key=len, default={})
        if len(histories) < episode // 10:
            break
    if len(histories) < 10:
        yield (
            "what choices cost in equal states wasn't compared: too few histories reach the same state and "
            "fingerprint, with nothing under way whose age matters"
        )
        return
    gaps = [b.time - a.time for run in runs for a, b in pairwise(run.steps) if b.time > a.time]
    horizon = 1.5 * float(np.median(gaps)) if gaps else 1.0
    chosen = [
        (e, visits[e % len(visits) if e % 2 else 0]) for e, visits in list(histories.items())[:HISTORIES]
    ]
    first = runs[chosen[0][0]].steps[chosen[0][1]]
    for choice in first.labels[:3]:
        cost_NK = np.array([_costs(subject, runs[e], e, i, choice, horizon) for e, i in chosen])
        if not np.isfinite(cost_NK).all():
            return
        between, within = cost_NK.mean(axis=1).var(ddof=1) * FUTURES, cost_NK.var(axis=1, ddof=1).mean()
        if between <= 1e-12 * (1 + np.abs(cost_NK).max()) ** 2:
            continue
        degrees = len(chosen) - 1, len(chosen) * (FUTURES - 1)
        p = float(stats.f.sf(between / within, *degrees)) if within > 0 else 0.0
        if p < RARE:
            yield (
                f"equal states don't have equal what-if values: {len(chosen)} histories reach "
                f"{first.state}, and what {choice!r} costs from there differs more between them than chance "
                f"allows (p = {p:.0e})",
                "either a branch knows something of the future, as when a generator of your own goes on in "
                "it, or the future depends on something that the state doesn't show: show it, or, if this "
                "decider mustn't see it, let fingerprint() contain it",
            )
            return


def _costs(subject: Subject, run: Run, episode: int, index: int, choice: str, horizon: float) -> list[float]:
    """What a choice costs up to a horizon, in each of some futures."""
    past, step, costs = World(Streams(subject.path(episode))), run.steps[index], []
    answers = [before.taken for before in run.steps[:index]]
    for future in range(FUTURES):
        streams = Streams((*subject.path(episode), FUTURE, index, future))
        world = BranchedWorld(past, streams, step.time)
        try:
            model, _ = replay(subject.simulator, subject.params, world, answers)
            world.branch()
            model.answer(choice)
            follow(model, RandomPolicy(streams), step.time + horizon)
            costs.append(model.cost(step.time + horizon) - step.cost)
        except ProcessError:
            costs.append(math.nan)  # other checks tell why
    return costs


def _fingerprints(subject: Subject) -> Found:
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
            met, a, b = apart
            yield (
                f"fingerprint() leaves something out: two runs are equal by it at time {met.time:g} "
                f"({met.mark!r}), and with equal answers they differ at time {min(a.time, b.time):g}: "
                f"{a.state} at {a.time:g} and {b.state} at {b.time:g}",
                "return all that the future depends on: who waits where, what is under way and when it ends, "
                "and the numbers of entities that keys of later draws contain; or don't implement it",
            )
            return


def _parted(one: Run, other: Run) -> tuple[Step, Step, Step] | None:
    """Where two runs were equal by their fingerprints, and where they differed all the same."""
    where: dict[tuple, int] = {}
    for index, step in enumerate(other.steps):
        where.setdefault((step.time, step.question, step.labels, step.mark), index)
    for index, step in enumerate(one.steps):
        met = where.get((step.time, step.question, step.labels, step.mark))
        if met is None:
            continue
        alike = len(one.steps) if min(index, met) >= OTHER_ANSWERS else 1
        for a, b in zip(one.steps[index : index + alike], other.steps[met:], strict=False):
            costs = a.cost - step.cost, b.cost - other.steps[met].cost
            same = math.isclose(*costs, rel_tol=1e-6, abs_tol=1e-6)
            if (a.time, a.labels, a.state) != (b.time, b.labels, b.state) or not same:
                return step, a, b
    return None


def _entities(subject: Subject) -> Found:
    runs = (subject.main, *subject.perturbed)
    names = sorted({name for run in runs for _, balance in run.balances for name in balance})
    for run in runs:
        for name in names:
            found = [(time, balance[name]) for time, balance in run.balances if name in balance]
            for (earlier, before), (time, balance) in pairwise(found):
                if abs(balance - before) > 1e-6:
                    kind = name.removeprefix("in_system").strip("_") or "entities"
                    sign = "more" if balance > before else "less"
                    yield (
                        f"{kind} got lost: between time {earlier:g} and {time:g} level {name!r} became "
                        f"{abs(balance - before):g} {sign} than arrivals and departures account for",
                        "set the level whenever somebody comes or leaves, and count both: "
                        "self.tally('arrived', 1), and self.tally('left', 1) or "
                        "self.tally('time_in_system', …); every process that takes an entity must hand it on",
                    )
                    return
    if not names:
        yield (
            "entities weren't counted: with level 'in_system' and tallies 'arrived' and 'time_in_system' "
            "(or 'left') it is checked that none gets lost"
        )


def _costs_finite(subject: Subject) -> Found:
    yield from _runs("cost")(subject)
    run = subject.main
    if run.model is None:
        return
    try:
        amounts = {"final_cost()": run.model.final_cost(), **run.model.costs()}
        amounts |= {name: total for name, (total, _) in run.model.totals().items()}
        for name, weight in run.model.cost_weights.items():
            amounts[f"cost_weights[{name!r}]"] = weight
    except Exception as error:
        yield f"final_cost() fails: {type(error).__name__}: {error}", "return a number"
        return
    for name, amount in amounts.items():
        if not isinstance(amount, int | float) or not math.isfinite(amount):
            yield f"{name} is {amount!r}", "costs, levels and tallies are finite numbers"


def _time(subject: Subject) -> Found:
    yield from _runs("time")(subject)


def _illegal(subject: Subject) -> Found:
    yield from _runs("illegal answers")(subject)
    run = subject.play(subject.world(), varied, decisions=20, illegal=True)
    if run.error is not None:
        if subject.main.error is None or _failed(run.error)[0] == "illegal answers":
            message, advice = _failed(run.error)[1]
            yield f"after illegal answers: {message}", advice
    elif run.model is not None and run.model.illegal_answers != len(run.steps):
        yield (
            f"{len(run.steps)} illegal answers were counted as {run.model.illegal_answers}",
            "leave answer() as it is, and override fallback(decision) instead",
        )


def _policies(subject: Subject) -> Found:
    steps = [step for step in subject.main.steps if isinstance(step.observed, dict)]
    for name, written in subject.simulator.policies.items():
        for step in steps:
            state = (
                json.loads(step.state) if _not_json(step.observed) is None else copy.deepcopy(step.observed)
            )
            try:
                labels = [started(written, Streams(subject.path()))(state, step.labels) for _ in range(2)]
            except Exception as error:
                yield (
                    f"policy {name!r} fails in {step.state}: {type(error).__name__}: {error}{_place(error)}",
                    "a policy gets what observe() returned and the labels, and nothing else",
                )
                break
            if labels[0] not in step.labels or labels[0] != labels[1]:
                told = labels[0] if labels[0] == labels[1] else " and then ".join(map(repr, labels))
                yield (
                    f"policy {name!r} answers {told!r} in {step.state}, where "
                    f"{', '.join(map(repr, step.labels))} are legal",
                    "a policy returns one of the given labels, the same one for the same state",
                )
                break
            if text_of(state) != step.state:
                yield f"policy {name!r} changes the state that it is given", "copy what you change"
                break


def _forecasts(subject: Subject) -> Found:
    simulator, run = subject.simulator, subject.main
    if run.model is None or run.error is not None:
        return
    for forecast in simulator.forecasts:
        if forecast.reading == "last":
            known, kind = run.model.levels(), "level() or cost_rate()"
        else:
            known, kind = run.model.totals(), "level(), tally() or cost_rate()"
        if forecast.measure not in known:
            yield (
                f"forecast {forecast.question!r} reads {forecast.measure!r}, which a run never set; it set "
                f"{', '.join(map(repr, known)) or 'nothing'}",
                f"name what goes to {kind}",
            )


def _importable(subject: Subject) -> Found:
    simulator = subject.simulator
    try:
        names = vars(import_module(simulator.__module__))
    except ImportError:
        names = {}
    if simulator.__module__ == "__main__" or simulator not in [
        n for n in names.values() if isinstance(n, type)
    ]:
        yield (
            f"{simulator.__module__}:{simulator.__qualname__} can't be imported; move the class into a file "
            "of its own, so that worker processes find it"
        )
    yield from unsendable(simulator.policies)
    if any(step.labels == (WAIT,) for step in subject.main.steps):
        yield f"some questions offer {WAIT!r} alone; they are put again and again"


CHECKS: dict[str, Callable[[Subject], Found]] = {
    "runs": _runs("runs"),
    "decisions": _decisions,
    "choices": _choices,
    "state": _states,
    "time": _time,
    "cost": _costs_finite,
    "entities": _entities,
    "same seed, same run": _same_seed,
    "other seed, other run": _other_seed,
    "streams": _streams,
    "branches": _branches,
    "no clairvoyance": _clairvoyance,
    "equal states, equal values": _values,
    "fingerprint": _fingerprints,
    "illegal answers": _illegal,
    "policies": _policies,
    "forecasts": _forecasts,
    "workers": _importable,
}
"""All checks by name, in the order in which they are told."""
