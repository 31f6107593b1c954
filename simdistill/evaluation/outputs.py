"""Output files of an examination for all tasks: `metrics.json`, `examination.json`, `rollouts.jsonl`."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import safe_open

from simdistill.config import RunConfig
from simdistill.envs.scenarios import examination_path
from simdistill.evaluation import exhibits, forecast_scores, summaries
from simdistill.evaluation.cases import OPTIMUM, title
from simdistill.evaluation.examination import Examination
from simdistill.evaluation.learning_curve import learning
from simdistill.evaluation.metrics import measures
from simdistill.evaluation.mistakes import mistakes
from simdistill.evaluation.run_files import RunFiles
from simdistill.evaluation.training_record import TrainingRecord
from simdistill.files import write_json, write_lines
from simdistill.models.student import Student
from simdistill.results import (
    SETTINGS,
    Forecasts,
    Generation,
    Parameters,
    PolicyResults,
    Results,
    SimulatorSteps,
    Spoken,
    TaskResults,
    Tokens,
)
from simdistill.statistics import Estimate
from simdistill.teachers.protocol import Lesson


def write(
    files: RunFiles,
    config: RunConfig,
    found: Sequence[tuple[Lesson, Examination]],
    spent: Mapping[str, Any],
) -> Results:
    """Writes all three files; `metrics.json` comes last, as its presence marks a finished examination.

    Args:
        files: Paths of the run's files.
        config: The run's configuration.
        found: The teacher's lesson and the examination, for each task.
        spent: Times, memory and provenance: values of further fields of `Results`.
    """
    folder = files.folder
    write_lines(folder / "rollouts.jsonl", [row for _, examination in found for row in rollouts(examination)])
    write_json(folder / "examination.json", {"tasks": [exhibited(*one) for one in found]})
    results = run_results(files, config, found, spent)
    results.write(files.metrics)
    return results


def run_results(
    files: RunFiles,
    config: RunConfig,
    found: Sequence[tuple[Lesson, Examination]],
    spent: Mapping[str, Any],
) -> Results:
    """Returns the results of a run; see `write`."""
    training = TrainingRecord.read(config, files)
    first = found[0][1]
    student = first.student.student
    return Results(
        method=config.method.name,
        seed=config.seed,
        tasks=[task_results(lesson, examination, training) for lesson, examination in found],
        perplexity=first.perplexity,
        decisions_per_second=student.work.decisions_per_second,
        questions=training.questions,
        tokens=Tokens(trained=training.tokens, examined=student.work.tokens),
        learning=learning(config, files),
        updates=training.updates,
        updates_by_reward=training.updates_by_reward,
        parameters=_parameters(student, files.adapter),
        **spent,
    )


def task_results(lesson: Lesson, examination: Examination, training: TrainingRecord) -> TaskResults:
    """Returns the results of one task.

    Args:
        lesson: What the task's teacher found.
        examination: The results of examining all policies.
        training: The resources that training used.
    """
    task, cases, student = examination.task, examination.cases, examination.student
    order = ["random", "untuned", *task.policies, "teacher", "student", OPTIMUM]
    names = [name for name in dict.fromkeys(order) if name in cases[0].policies]
    replications = [r for case in cases for one in case.policies.values() for r in one.replications if r]
    return TaskResults(
        task=task.name,
        reference=examination.reference,
        heuristic=task.heuristic,
        policies={name: _policy(examination, name) for name in names},
        measures=measures(examination, examination.settings.metrics),
        valid_answers=student.valid,
        lenient_answers=student.lenient,
        said_instead_of_choices=[Spoken(**said) for said in student.said_instead()],
        answer_mass=student.mass,
        untuned_valid_answers=examination.untuned_valid,
        teacher_valid_answers=examination.teacher_valid,
        teacher_lenient_answers=examination.teacher_lenient,
        forecasts=_forecasts(examination),
        questions_asked=len(student.answers),
        simulator_steps=SimulatorSteps(
            teach=sum(generation.decisions for generation in lesson.generations),
            own_states=training.simulator_steps,
            examine=sum(replication.decisions for replication in replications),
        ),
        states_searched=sum(generation.states for generation in lesson.generations) + training.states,
        generations=[
            Generation(
                generation=generation.number,
                accepted=generation.accepted,
                improvement=_saved(generation.improvement),
                states=generation.states,
                simulator_steps=generation.decisions,
                futures_coupled=generation.coupled,
                states_unsettled=generation.unsettled,
            )
            for generation in lesson.generations
        ],
        failed_rollouts=[
            *(failure.message for failure in lesson.failures),
            *training.failures,
            *(message for case in cases for message in case.failures),
        ],
    )


def rollouts(examination: Examination) -> list[dict]:
    """Returns one row for each simulated replication that didn't fail."""
    return [
        {
            "task": examination.task.name,
            "setting": case.setting,
            "parameters": exhibits.plain(case.params),
            "policy": name,
            "seed_path": list(examination_path(examination.settings.seed, number)),
            "cost": replication.cost,
            "halves": list(replication.halves),
            "decisions": replication.decisions,
            "measures": dict(replication.measures),
            "illegal_answers": replication.illegal_answers,
        }
        for case in examination.cases
        for name, examined in case.policies.items()
        for number, replication in enumerate(examined.replications)
        if replication is not None
    ]


def exhibited(lesson: Lesson, examination: Examination) -> dict[str, Any]:
    """Returns the data that the report shows of one task, without the parts that are empty.

    Args:
        lesson: What the task's teacher found.
        examination: The results of examining all policies.
    """
    task, case, seed = examination.task, examination.cases[0], examination.settings.seed
    reference, rule = examination.reference, task.heuristic
    shown = ["student", "teacher", *(name for name in task.policies if name != "random"), reference]
    given = {"student": examination.student, "teacher": examination.teacher}
    playing = given | {name: one.policy for name, one in case.policies.items() if one.policy}
    document = {
        "sets": exhibits.sets(examination.cases, dict.fromkeys(shown)),
        "mistakes": mistakes(case, lesson.regression.network, examination.student.prompter),
        "questions": list(examination.shown),
        "forecasts": [one.forecast.question for one in examination.forecasts],
        "reliability": forecast_scores.reliability(examination.forecasts) if examination.forecasts else [],
        "episode": exhibits.episode(
            task, case, {name: playing[name] for name in dict.fromkeys(("student", rule, reference))}, seed
        ),
        "decision_map": exhibits.decision_map(
            case, dict.fromkeys((reference, "teacher", "student", rule)), "student"
        ),
    }
    return {"task": task.name} | {name: part for name, part in document.items() if part}


def _policy(examination: Examination, name: str) -> PolicyResults:
    cases, seed = examination.cases, examination.settings.seed
    return PolicyResults(
        title=title(name),
        cost={
            setting: summaries.summary(cases, setting, name, examination.task.horizon, seed)
            for setting in SETTINGS
        },
        over_reference={
            setting: summaries.over(cases, setting, name, examination.reference, seed) for setting in SETTINGS
        },
    )


def _forecasts(examination: Examination) -> Forecasts | None:
    if not examination.forecasts:
        return None
    return Forecasts(
        log_score=forecast_scores.log_scores(examination.forecasts),
        states=sum(len(one.student_NB) for one in examination.forecasts),
        futures=examination.settings.forecast_futures,
    )


def _saved(change: Estimate) -> Estimate:
    """Returns a relative change of cost with its sign reversed: as a saving."""
    return Estimate(-change.mean, -change.high, -change.low)


def _parameters(student: Student, adapter: Path) -> Parameters:
    """Returns the number of trained parameters, and the number of all parameters including these."""
    with safe_open(adapter / "adapter_model.safetensors", "np") as weights:
        shapes = [weights.get_slice(name).get_shape() for name in weights.keys()]  # noqa: SIM118
    trained = sum(map(math.prod, shapes))
    return Parameters(trained=trained, all=student.model.num_parameters() + trained)
