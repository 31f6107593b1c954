"""The subject: an adapted model under one of its policies, and its figures replication by replication."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simdistill import config, registry
from simdistill.config import TaskConfig
from simdistill.errors import InputError
from simdistill.simulation import EPISODE, PLAN, TEST, Parameters, Policy, ProcessModel, Streams
from simdistill.simulation.policies import RandomPolicy, with_streams
from simdistill.simulation.replication import means
from simdistill.simulation.rollout import run_policy
from simdistill.validation.figures import Figures, checked


@dataclass(frozen=True)
class Subject:
    """An adapted model under one of its policies.

    Attributes:
        name: What the user calls it.
        simulator: Its class.
        params: Its parameters.
        policy_name: Name of the policy.
        policy: Decides.
        warm_up: Simulated time that isn't counted.
        until: Simulated time at which a replication ends, warm-up included.
        terminating: Whether the final cost falls due then.
    """

    name: str
    simulator: type[ProcessModel]
    params: Parameters
    policy_name: str
    policy: Policy
    warm_up: float
    until: float
    terminating: bool


def subject(
    name: str,
    policy: str | None = None,
    params: Mapping[str, Any] | None = None,
    warm_up: float | None = None,
    until: float | None = None,
) -> Subject:
    """Returns the subject that a user names.

    Args:
        name: A task, a registered simulator, module:Class or file.py:Class.
        policy: One of its policies; None for the task's heuristic, or a model's only policy.
        params: Parameters in place of the task's or the model's own.
        warm_up: None for the task's, or none.
        until: None for the task's.

    Raises:
        InputError: If there is no such model, policy or parameter, or nobody says when a replication ends.
    """
    task = _task(name)
    target = task.simulator if task else name
    simulator = registry.load("simulators", target)
    if not (isinstance(simulator, type) and issubclass(simulator, ProcessModel)):
        raise InputError(f"{target} is {simulator!r}; name a subclass of ProcessModel, or a process_model(…)")
    chosen, decides = _policy(name, simulator, policy or (task.heuristic if task else None))
    warm_up = warm_up if warm_up is not None else task.warm_up if task else 0.0
    until = until if until is not None else task.warm_up + task.horizon if task else None
    if until is None:
        raise InputError(
            f"{name}: say at which simulated time a replication ends, as the original's does: --until 480 "
            "(--until inf for a process that ends by itself)"
        )
    if not 0 <= warm_up < until:
        raise InputError(f"warm-up {warm_up:g} and end {until:g}: the end must come later than the warm-up")
    values = {**(task.parameters.default if task else {}), **(params or {})}
    terminating = task is None or task.kind == "terminating"
    return Subject(name, simulator, simulator.parse(values), chosen, decides, warm_up, until, terminating)


def _task(name: str) -> TaskConfig | None:
    """Returns the task of this name; None if there is none, since it is a model's name."""
    tasks = config.tasks()
    return config.compose([f"task={tasks[name]}"])[0].task if name in tasks else None


def _policy(name: str, simulator: type[ProcessModel], wanted: str | None) -> tuple[str, Policy]:
    """Returns a policy with its name."""
    own = dict(simulator.policies)
    if wanted is None and len(own) == 1:
        (wanted,) = own
    known = {**own, "random": RandomPolicy(Streams((0,)))}
    if wanted is None:
        raise InputError(f"{name}: say which policy is the original's rule: --policy {' or '.join(known)}")
    if wanted not in known:
        raise InputError(f"{name}: {registry.unknown('policy', wanted, known)}")
    return wanted, known[wanted]


def simulate(subject: Subject, replication: int) -> Figures:
    """Runs the subject once and returns its figures after the warm-up.

    A cost and a level are averages over time, a tally is the mean of its observations. `NAME_total` is a
    cost's total, `NAME_count` a tally's number of observations; `cost` and `cost_total` are the weighted
    sum of the costs, and `decisions` is the number of decisions. The model's own `figures()` come beside
    them, or in their place.

    Raises:
        InputError: If the policy takes what isn't offered, or `figures()` returns no figures.
    """
    path = (0, TEST, EPISODE, replication)
    model = subject.simulator(subject.params, path)
    policy = with_streams(subject.policy, Streams((*path, PLAN)))
    if subject.warm_up > 0:
        run_policy(model, policy, subject.warm_up)
    before = model.totals(subject.warm_up) if subject.warm_up > 0 else {}
    spent = model.cost(subject.warm_up) if subject.warm_up > 0 else 0.0
    decisions = run_policy(model, policy, subject.until)
    _check_answers(subject, model, replication)
    ended = model.ended
    end = model.env.now if ended else subject.until
    cost = model.cost(end) - spent
    due = model.finish(end)
    cost += due if ended or subject.terminating else 0.0
    lasted = end - subject.warm_up
    figures = _measured(model, before, end)
    if model.costs() or due:
        figures.setdefault("cost", cost / lasted if lasted > 0 else math.nan)
        figures.setdefault("cost_total", cost)
    figures.setdefault("decisions", float(decisions))
    name = type(model).__name__
    return figures | checked(model._guard(model.figures), f"{name}.figures() in replication {replication}")


def _check_answers(subject: Subject, model: ProcessModel, replication: int) -> None:
    if model.illegal_answers:
        raise InputError(
            f"{subject.name}: policy '{subject.policy_name}' took what isn't offered "
            f"{model.illegal_answers} times in replication {replication}, so it isn't the original's rule"
        )


def _measured(model: ProcessModel, before: Mapping[str, tuple[float, float]], end: float) -> Figures:
    """Returns means, totals and counts of what the model has recorded since `before`."""
    after = model.totals(end)
    figures = means(before, after)
    costs, lasting = model.costs(end), model.levels()
    for name, (total, weight) in after.items():
        total_before, weight_before = before.get(name, (0.0, 0.0))
        if name in costs:
            figures.setdefault(f"{name}_total", total - total_before)
        elif name not in lasting:
            figures.setdefault(f"{name}_count", weight - weight_before)
    return figures
