"""Checks of single runs: questions, choices, states, entities, costs, answers, policies and forecasts."""

import copy
import json
import math
from itertools import pairwise
from typing import Any

import numpy as np

from simdistill.checker.failures import Found, failed, failing, line_of
from simdistill.checker.probe import Subject, text_of, varied, varied_by
from simdistill.checker.recording import Run
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.policies import with_streams
from simdistill.simulation.streams import Streams


def decisions(subject: Subject) -> Found:
    """Finds a process that never asks, or asks without waiting for the answer."""
    run = subject.main
    if run.error is None and not run.steps and run.model is not None:
        if any(not decision.callbacks for decision in (*run.model._pending, *run.model.env.at_once)):
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
    yield from failing("decisions")(subject)


def choices(subject: Subject) -> Found:
    """Finds questions without a choice, and choices that are no text."""
    yield from failing("choices")(subject)
    for step in subject.main.steps:
        wrong = [label for label in step.labels if not isinstance(label, str)]
        if wrong:
            yield (
                f"{step.question!r} has the choice {wrong[0]!r}, which is no text",
                "labels are strings; to get another object back, give a mapping from labels to objects",
            )
            return


def states(subject: Subject) -> Found:
    """Finds states that aren't JSON, or that change when they are observed."""
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


def entities(subject: Subject) -> Found:
    """Finds entities that got lost between arrival and departure."""
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


def costs(subject: Subject) -> Found:
    """Finds costs, levels and tallies that are no finite numbers."""
    yield from failing("cost")(subject)
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
            return
    yield from _no_cost(subject)


MORE_RUNS = 20
"""Number of further runs in which a cost is looked for if the first runs charged none."""


def _no_cost(subject: Subject) -> Found:
    """Finds models that never charge a cost, so that all choices are worth the same."""
    first = (subject.main, *subject.perturbed)
    if not subject.main.steps or any(run.error is not None or _costs(run) for run in first):
        return
    for episode in range(1, MORE_RUNS + 1):
        run = subject.play(subject.world(episode), varied_by(episode))
        if run.error is not None or _costs(run):
            return
    assert subject.main.model is not None
    names = subject.main.model.costs()
    if not names:
        told = "no cost was ever charged: cost_rate() and charge() weren't called, and final_cost() is 0"
    elif not any(subject.main.model.cost_weights.get(name, 1.0) for name in names):
        told = f"no cost counts: cost_weights gives {', '.join(map(repr, names))} the weight 0"
    else:
        told = f"no cost was ever charged: {', '.join(map(repr, names))} stayed 0"
    yield (
        f"{told} in {len(first) + MORE_RUNS} runs, so that all choices are worth the same",
        "set what waiting, stock and the like cost with self.cost_rate(name, value) whenever it changes, "
        "charge what is due at once with self.charge(name, amount), or return it from final_cost()",
    )


def _costs(run: Run) -> bool:
    """Returns whether a run charged any cost."""
    model = run.model
    return model is not None and bool(model.cost() or any(_weighted(model)) or model.final_cost())


def _weighted(model: ProcessModel) -> list[float]:
    """Returns each of a model's costs so far, times its weight."""
    return [model.cost_weights.get(name, 1.0) * cost for name, cost in model.costs().items()]


def ends(subject: Subject) -> Found:
    """Notes which processes keep a model alive after its last question."""
    run = subject.main
    if run.steps and run.error is None and run.ended and not run.endless and subject.until < math.inf:
        run = subject.play(subject.world(), varied, decisions=len(run.steps) + 1, until=math.inf)
    if run.endless:
        names = " and ".join(run.endless)
        ended = f"The task ends it at time {subject.until:g}; final_cost() falls due then"
        if subject.until == math.inf:
            ended = "Tell when, by `kind: terminating` and `horizon` of the task; final_cost() falls due then"
        yield (
            f"after the question at time {run.steps[-1].time:g} none comes any more, but {names} "
            f"{'goes' if len(run.endless) == 1 else 'go'} on for ever: such a process doesn't end by itself. "
            f"{ended}"
        )


def illegal_answers(subject: Subject) -> Found:
    """Finds processes that fail after answers that are no choice, or don't count them."""
    yield from failing("illegal answers")(subject)
    run = subject.play(subject.world(), varied, decisions=20, illegal=True)
    if run.error is not None:
        if subject.main.error is None or failed(run.error)[0] == "illegal answers":
            message, advice = failed(run.error)[1]
            yield f"after illegal answers: {message}", advice
    elif run.model is not None and run.model.illegal_answers != len(run.steps):
        yield (
            f"{len(run.steps)} illegal answers were counted as {run.model.illegal_answers}",
            "leave answer() as it is, and override fallback(decision) instead",
        )


def policies(subject: Subject) -> Found:
    """Finds policies that fail, answer what is no choice, or change the state."""
    steps = [step for step in subject.main.steps if isinstance(step.observed, dict)]
    for name, written in subject.simulator.policies.items():
        for step in steps:
            state = (
                json.loads(step.state) if _not_json(step.observed) is None else copy.deepcopy(step.observed)
            )
            try:
                labels = [
                    with_streams(written, Streams(subject.path()))(state, step.labels) for _ in range(2)
                ]
            except Exception as error:
                yield (
                    f"policy {name!r} fails in {step.state}: {type(error).__name__}: {error}{line_of(error)}",
                    "a policy gets what observe() returned and the labels, and nothing else",
                )
                break
            if labels[0] not in step.labels or labels[0] != labels[1]:
                given = labels[0] if labels[0] == labels[1] else " and then ".join(map(repr, labels))
                yield (
                    f"policy {name!r} answers {given!r} in {step.state}, where "
                    f"{', '.join(map(repr, step.labels))} are legal",
                    "a policy returns one of the given labels, the same one for the same state",
                )
                break
            if text_of(state) != step.state:
                yield f"policy {name!r} changes the state that it is given", "copy what you change"
                break


def forecasts(subject: Subject) -> Found:
    """Finds forecasts of measures that a run never set."""
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
