"""New situations for examples and forecasts, which neither training nor the simulated replications contain.

Axes: N situations, B buckets, K futures, C choices.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from simdistill import registry
from simdistill.config import EvaluationConfig, TaskConfig
from simdistill.data.kinds.forecast import ForecastQuestion, future_buckets
from simdistill.data.question import Question
from simdistill.envs.episodes import explore
from simdistill.envs.scenarios import begin, draw
from simdistill.errors import ProcessError
from simdistill.evaluation.forecast_scores import ScoredForecast
from simdistill.evaluation.student_policy import StudentPolicy
from simdistill.executors import Map
from simdistill.models.choice_model import Answer, Posed
from simdistill.simulation import EPISODE, PLAN, SAMPLE, TEST, Forecast, Policy, Streams
from simdistill.simulation.branching import Values, what_if
from simdistill.simulation.situations import Situation

SHOWN_FUTURES = 100
"""Number of simulated futures for each choice of an example."""
EXAMPLE, FORECAST = 9, 10
"""Numbers in the seed paths that keep these situations' samples apart, also from those of parameter sets."""


def situation(
    task: TaskConfig, settings: EvaluationConfig, policy: Policy, kind: int, number: int
) -> Situation:
    """Returns the last situation of a short episode whose parameters are drawn as in training.

    Args:
        task: The task.
        settings: Evaluation settings, with the seed of the test tree.
        policy: The policy that decides in the episode.
        kind: `EXAMPLE` or `FORECAST`.
        number: Number of the situation within its kind, from 0.
    """
    simulator = registry.load("simulators", task.simulator)
    root = (settings.seed, TEST)
    sample = (*root, SAMPLE, kind, number)
    params = draw(simulator, task.parameters.default, task.parameters.train, sample)
    params = begin(simulator, params, task.parameters.starts, (*sample, 0))
    model = simulator(params, (*root, EPISODE, kind, number))
    streams = Streams((*root, PLAN, kind, number))
    met = explore(model, policy, 0.0, streams, 5, until=task.until)
    if not met:
        raise ProcessError(
            simulator.__name__, model.seed_path, model.env.now, "the episode ended without a decision"
        )
    return met[-1]


def examples(
    task: TaskConfig,
    settings: EvaluationConfig,
    continues: Policy,
    horizon: float,
    teacher: Policy,
    student: StudentPolicy,
    progress: Callable[[int, int], None],
) -> list[dict]:
    """Returns some new situations with the student's answers, and each choice's cost from many futures.

    Args:
        task: The task.
        settings: Evaluation settings, with the number of situations.
        continues: The policy that decides in the futures after the first choice.
        horizon: Initial simulated time of a future, which is extended if needed.
        teacher: The teacher, whose choices are shown for comparison.
        student: The student, which answers.
        progress: Called with the number of finished situations and the number of all situations.
    """
    simulator = registry.load("simulators", task.simulator)
    rows = []
    progress(0, settings.questions_shown)
    for number in range(settings.questions_shown):
        here = situation(task, settings, continues, EXAMPLE, number)
        values = what_if(simulator, here, continues, SHOWN_FUTURES, horizon, 1, task.until)
        posed = Posed(student.prompter.decision(here.state), list(here.choices))
        [answer] = student.student.score([posed])
        rows.append(_example(student.prompter.situation(here.state), here, values, answer, teacher))
        progress(number + 1, settings.questions_shown)
    return rows


def _example(text: str, here: Situation, values: Values, answer: Answer, teacher: Policy) -> dict:
    costs_C = values.mean_C - values.mean_C.min()
    return {
        "situation": text,
        "choices": list(here.choices),
        "teacher": teacher(here.state, here.choices),
        "student": here.choices[answer.choice],
        "probabilities": answer.probabilities_C.tolist(),
        "costs": costs_C.tolist(),
        "standard_errors": [float(e) if np.isfinite(e) else None for e in values.standard_error_C],
        "valid": answer.greedy is not None,
        "greedy": None if answer.greedy is None else here.choices[answer.greedy],
    }


def scored_forecasts(
    task: TaskConfig,
    settings: EvaluationConfig,
    continues: Policy,
    student: StudentPolicy,
    lessons: Sequence[Question],
    compute: Map,
    progress: Callable[[int, int], None],
) -> list[ScoredForecast]:
    """Returns the student's and the simulator's forecasts in new situations.

    Forecast questions that training didn't have are left out.

    Args:
        task: The task.
        settings: Evaluation settings, with the number of situations and futures.
        continues: The policy that decides in the futures.
        student: The student, which forecasts.
        lessons: The training questions; the mean of their bucket probabilities is the marginal forecast.
        compute: Map that simulates the futures, possibly in worker processes.
        progress: Called with the number of finished situations and the number of all situations.
    """
    simulator = registry.load("simulators", task.simulator)
    situations = [situation(task, settings, continues, FORECAST, n) for n in range(settings.forecasts)]
    scored = []
    for number, forecast in enumerate(simulator.forecasts):
        asked = [q for q in lessons if isinstance(q, ForecastQuestion) and q.choices == forecast.labels]
        trained = [question.probabilities for question in asked]
        here = situations[number :: len(simulator.forecasts)]
        if not trained or not here:
            continue
        simulate = partial(future_buckets, task, continues, settings.forecast_futures)
        buckets = []
        progress(0, len(here))
        for buckets_K in compute(simulate, [(one, forecast) for one in here]):
            buckets.append(buckets_K)
            progress(len(buckets), len(here))
        student_NB = _forecast(student, forecast, here)
        scored.append(ScoredForecast(forecast, student_NB, np.stack(buckets), np.mean(trained, axis=0)))
    return scored


def _forecast(student: StudentPolicy, forecast: Forecast, situations: Sequence[Situation]) -> np.ndarray:
    """Returns the student's probabilities of each bucket (N, B)."""
    labels = forecast.labels
    prompts = [student.prompter.forecast(one.state, forecast.question, labels) for one in situations]
    answers = student.student.score([Posed(prompt, labels) for prompt in prompts])
    return np.stack([answer.probabilities_C for answer in answers])
