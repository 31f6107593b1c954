"""Checks of what choices cost from states that look equal, by one-way analyses of variance."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from scipy import stats

from simdistill.checker.failures import Found
from simdistill.checker.probe import Subject, varied_by
from simdistill.checker.recording import Run, Step
from simdistill.errors import ProcessError
from simdistill.simulation.branch_point import BranchPoint
from simdistill.simulation.policies import RandomPolicy
from simdistill.simulation.rollout import run_policy
from simdistill.simulation.situations import Situation
from simdistill.simulation.streams import FUTURE, Streams

RARE = 1e-6
"""Probability below which values of equal states count as different."""

HISTORIES, FUTURES = 40, 6
"""Pasts of one state whose values are compared, and futures of each."""

Visits = Mapping[int, Sequence[int]]
"""Episode -> numbers of the decisions at which it was in a state."""


def values(subject: Subject) -> Found:
    """Compares what-if values over many histories of one state."""
    if subject.deterministic or not subject.main.steps:
        return
    runs: list[Run] = []
    visits: dict[tuple, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    histories: Visits = {}
    for episode in range(HISTORIES + 20):
        runs.append(_explored(subject, episode))
        for index, step in enumerate(runs[-1].steps[1:], start=1):
            if not step.ages:
                visits[step.asked, step.state, repr(step.mark)][episode].append(index)
        histories = max(visits.values(), key=len, default={})
        if len(histories) < episode // 10:
            break
    if len(histories) < 10:
        yield (
            "what choices cost in equal states wasn't compared: too few histories reach the same state and "
            "fingerprint, with nothing under way whose age matters"
        )
        return
    horizon = 1.5 * _between(runs)
    chosen = _each_once(histories, HISTORIES)
    first = _step(runs, chosen[0])
    for choice in first.labels[:3]:
        cost_NK = np.array([_branch_costs(subject, runs[e], e, i, choice, horizon) for e, i in chosen])
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


def deciders(subject: Subject) -> Found:
    """Compares what choices cost deciders who are asked the same and see the same."""
    seen = {step.decider for run in (subject.main, *subject.perturbed) for step in run.steps}
    if len(seen) < 2:
        return
    runs = [_explored(subject, episode) for episode in range(HISTORIES)]
    visits: dict[tuple, dict[str, dict[int, list[int]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for episode, run in enumerate(runs):
        for index, step in enumerate(run.steps):
            visits[step.question, step.labels, step.state][step.decider][episode].append(index)
    alike = max(visits.values(), key=_second_most)
    if _second_most(alike) < 10:
        return
    names = sorted(alike, key=lambda name: -len(alike[name]))[:4]
    chosen = {name: _each_once(alike[name], 20) for name in names if len(alike[name]) >= 10}
    first = _step(runs, chosen[names[0]][0])
    horizon = 1.5 * len(seen) * _between(runs)
    for label in first.labels[1:3]:
        groups = []
        for visited in chosen.values():
            costs_2NK = [
                [_branch_costs(subject, runs[e], e, i, choice, horizon) for e, i in visited]
                for choice in (label, first.labels[0])
            ]
            own_NK, other_NK = map(np.asarray, costs_2NK)
            groups.append((own_NK - other_NK).mean(axis=1))
        if not all(np.isfinite(mean_N).all() for mean_N in groups):
            return
        if (p := _p_value(groups)) < RARE:
            means = zip(chosen, groups, strict=True)
            told = " and ".join(f"{mean_N.mean():.3g} for {name!r}" for name, mean_N in means)
            yield (
                f"{len(chosen)} deciders are asked {first.question!r} and see {first.state}, but what "
                f"{label!r} costs more than {first.labels[0]!r} isn't the same, {told} (p = {p:.0e})",
                "a fit, and a student, can't tell them apart: let observe() show whose decision it is, or "
                "ask in other words",
            )
            return


def _p_value(groups: Sequence[np.ndarray]) -> float:
    """Of the hypothesis that groups have one mean."""
    every_N = np.concatenate(groups)
    between = sum(len(mean_N) * (mean_N.mean() - every_N.mean()) ** 2 for mean_N in groups)
    within = sum(((mean_N - mean_N.mean()) ** 2).sum() for mean_N in groups)
    if between <= 1e-12 * (1 + np.abs(every_N).max()) ** 2:
        return 1.0
    degrees = len(groups) - 1, len(every_N) - len(groups)
    return float(stats.f.sf(between / degrees[0] / (within / degrees[1]), *degrees)) if within > 0 else 0.0


def _second_most(visits: Mapping[str, Visits]) -> int:
    """Episodes in which the second of the deciders was in a state."""
    return sorted((len(episodes) for episodes in visits.values()), reverse=True)[1] if len(visits) > 1 else 0


def _explored(subject: Subject, episode: int) -> Run:
    return subject.play(subject.world(episode), varied_by(episode), decisions=30)


def _between(runs: Sequence[Run]) -> float:
    """Usual time between two decisions."""
    gaps = [b.time - a.time for run in runs for a, b in pairwise(run.steps) if b.time > a.time]
    return float(np.median(gaps)) if gaps else 1.0


def _each_once(visits: Visits, most: int) -> list[tuple[int, int]]:
    """Episode and number of a decision, one for each of some episodes."""
    return [(e, found[e % len(found) if e % 2 else 0]) for e, found in list(visits.items())[:most]]


def _step(runs: Sequence[Run], place: tuple[int, int]) -> Step:
    return runs[place[0]].steps[place[1]]


def _branch_costs(
    subject: Subject, run: Run, episode: int, index: int, choice: str, horizon: float
) -> list[float]:
    """What a choice costs up to a horizon, in each of some futures."""
    step, costs = run.steps[index], []
    answers = tuple(before.taken for before in run.steps[:index])
    state = step.observed if isinstance(step.observed, dict) else {}
    point = BranchPoint(
        subject.simulator,
        Situation(subject.params, subject.path(episode), answers, step.time, state, step.labels),
    )
    end = min(step.time + horizon, max(subject.until, step.time))
    for future in range(FUTURES):
        streams = Streams((*subject.path(episode), FUTURE, index, future))
        try:
            model, _ = point.reach(streams)
            model.answer(choice)
            run_policy(model, RandomPolicy(streams), end)
            costs.append(model.cost(end) - step.cost)
        except ProcessError:
            costs.append(math.nan)  # other checks report why
    return costs
