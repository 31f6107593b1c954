"""The stages of a run. Each is a function from the earlier stages' results to its own result.

    teach -> a lesson       ask -> questions for training and for validation
    train -> an adapter     examine -> results

`simdistill.runs.pipeline` calls the stages in order and saves their results.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from simdistill.config import RunConfig, TaskConfig
from simdistill.data.asking import Asking
from simdistill.data.question import Question
from simdistill.envs.episodes import Failure
from simdistill.envs.prompts import Prompter
from simdistill.evaluation.evaluator import evaluate
from simdistill.evaluation.examination import Examination
from simdistill.evaluation.student_policy import StudentPolicy
from simdistill.executors import Map
from simdistill.models.device import chosen_device, release_memory
from simdistill.models.pruning import layers_kept, student_base
from simdistill.models.student import Student
from simdistill.progress import Progress
from simdistill.simulation import TRAIN, VALIDATION
from simdistill.teachers.cost_to_go import Labels, Searched
from simdistill.teachers.on_policy import visit
from simdistill.teachers.protocol import Lesson, Teacher
from simdistill.teachers.questions import questions
from simdistill.teachers.state_search import GROUPS, search, search_group
from simdistill.training.method import Distilled, Method

ON_POLICY = 1000
"""First number of the searches on on-policy states; smaller numbers belong to the teacher's generations."""


@dataclass(frozen=True)
class Asked:
    """The questions that were made from a lesson.

    Attributes:
        train: Training questions, on the teacher's states.
        validation: Held-out questions for the learning curve.
        failures: Failures of the process in the episodes for held-out states.
    """

    train: list[Question]
    validation: list[Question]
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class OnPolicy:
    """Questions on states of the student's own rollouts.

    Attributes:
        questions: Questions for one round of training.
        states: Number of states that were searched.
        steps: Number of decisions that were simulated to search these states.
        failures: Failures of the process in the student's episodes.
    """

    questions: list[Question]
    states: int
    steps: int
    failures: tuple[Failure, ...]


def teach(task: TaskConfig, teacher: Teacher, compute: Map, progress: Progress) -> Lesson:
    """Returns a teacher's lesson: the states that it teaches from, and their labels.

    Args:
        task: The task.
        teacher: The teacher.
        compute: Map that runs simulations, possibly in worker processes.
        progress: Shows the progress of each phase.
    """
    return teacher.teach(task, compute, progress)


def ask(
    task: TaskConfig,
    config: RunConfig,
    teacher: Teacher,
    lesson: Lesson,
    count: int,
    compute: Map,
    progress: Progress,
) -> Asked:
    """Turns a lesson into training questions, and makes validation questions on further states.

    Args:
        task: The task.
        config: The run's configuration.
        teacher: The teacher; if it answers questions itself, its answers replace the lesson's.
        lesson: The searched states with their labels; its policy visits the held-out states.
        count: Number of decisions that the method will ask about.
        compute: Map that runs simulations, possibly in worker processes.
        progress: Shows the progress of each phase.
    """
    settings = config.distill
    asking = replace(
        _asking(task, lesson, lesson.searched, lesson.labels),
        compute=compute,
        forecast_futures=config.teacher.forecast_futures,
        progress=progress,
    )
    train = questions(asking, count, {"forecast": settings.forecasts, **settings.kinds})
    train = _answered(teacher, train, "let the teacher answer", progress)
    failures = list[Failure]()
    per_scenario = config.teacher.episodes_per_scenario * config.teacher.states_per_episode
    held_out = search(
        task,
        config.teacher,
        (config.seed, VALIDATION),
        0,
        -(-settings.validation_questions // per_scenario),
        lesson.policy,
        compute,
        failures,
        partial(progress, "hold out questions"),
    )
    asking = _asking(task, lesson, held_out, lesson.label(held_out), "tune")
    validation = questions(asking, settings.validation_questions)
    validation = _answered(teacher, validation, "let the teacher answer held-out questions", progress)
    return Asked(train, validation, tuple(failures))


def ask_on_policy(
    task: TaskConfig,
    config: RunConfig,
    teacher: Teacher,
    lesson: Lesson,
    student: Student,
    number: int,
    compute: Map,
    progress: Progress,
) -> OnPolicy:
    """Lets the student decide in episodes, searches the visited states, and makes questions on them.

    Args:
        task: The task.
        config: The run's configuration.
        teacher: The teacher; if it answers questions itself, its answers replace the lesson's.
        lesson: The lesson, which labels the states.
        student: The student, which decides in the episodes.
        number: Number of the round of training, from 1.
        compute: Map that runs simulations, possibly in worker processes.
        progress: Shows the progress of each phase.
    """
    failures, key = list[Failure](), ON_POLICY + number
    states = visit(
        task,
        config.teacher,
        config.distill,
        (config.seed, TRAIN),
        key,
        StudentPolicy(student, Prompter(task.language)),
        failures,
        partial(progress, f"own states, round {number}"),
    )
    groups = [(key * GROUPS + scenario, situations) for scenario, situations in states.items()]
    label = partial(search_group, task, config.teacher, lesson.policy)
    searched: list[Searched] = []
    phase = f"search own states, round {number}"
    progress(phase, 0, len(groups))
    for done, found in enumerate(compute(label, groups), start=1):
        searched += found
        progress(phase, done, len(groups))
    asking = _asking(task, lesson, searched, lesson.label(searched), "train", number)
    asked = questions(asking, config.distill.round_questions)
    return OnPolicy(
        _answered(teacher, asked, f"let the teacher answer, round {number}", progress),
        len(searched),
        sum(item.values.decisions for item in searched),
        tuple(failures),
    )


def train(method: Method, validation: Sequence[Question], collect, progress: Progress) -> Distilled:
    """Trains the student in all stages of a method; afterwards `method.adapter()` is the trained adapter.

    Args:
        method: The training method.
        validation: Held-out questions for the learning curve.
        collect: Maps a round's number and the student to questions on states of the student's own rollouts.
        progress: Shows the progress of each phase.
    """
    return method(validation, collect, model_card(method.config), progress)


def examine(
    task: TaskConfig,
    config: RunConfig,
    teacher: Teacher,
    lesson: Lesson,
    adapter: Path,
    lessons: Sequence[Question],
    compute: Map,
    progress: Progress,
) -> Examination:
    """Examines every policy of a task on the same parameters and random numbers.

    Args:
        task: The task.
        config: The run's configuration, with the ranges that were withheld from teaching and training.
        teacher: The teacher; its own policy, if it has one, is examined in place of its lesson's.
        lesson: The teacher's lesson.
        adapter: Folder of the student's adapter.
        lessons: The training questions.
        compute: Map that runs simulations, possibly in worker processes.
        progress: Shows the progress of each phase.
    """
    release_memory()
    load = partial(Student.load, student_base(config.student), device=chosen_device(config.device))
    student = load(adapter)
    decides: Any = teacher if hasattr(teacher, "policy") else None
    return evaluate(config, task, lesson, student, load, lessons, decides, compute, progress)


def _asking(
    task: TaskConfig,
    lesson: Lesson,
    searched: Sequence[Searched],
    labels: Labels,
    split: str = "train",
    number: int = 0,
) -> Asking:
    """Returns the data from which questions on searched states are made."""
    return Asking(
        task=task,
        prompts=Prompter(task.language),
        searched=searched,
        labels=labels,
        policy=lesson.policy,
        demonstrated=lesson.demonstrated,
        split=split,
        round=number,
    )


def _answered(teacher: Teacher, asked: list[Question], phase: str, progress: Progress) -> list[Question]:
    """Returns questions with the teacher's own answers, if the teacher answers questions itself."""
    answer = getattr(teacher, "answer", None)
    return asked if answer is None else answer(asked, partial(progress, phase))


def model_card(config: RunConfig) -> str:
    """Returns the text of an adapter's README, which Hugging Face shows as its model card."""
    task, base = config.task, config.student.name
    kept = layers_kept(student_base(config.student))
    base = f"layers {', '.join(map(str, kept))} of {base}" if kept else base
    return f"""---
library_name: peft
license: apache-2.0
tags: [simdistill, {task.simulator}, lora]
---

# {task.name}: a student that runs a process

{task.description}

A LoRA adapter (rank {config.student.lora.r}) for {base}, distilled by
`simdistill run task={task.name}` (method {config.method.name}, seed {config.seed}). It answers with the
label of one of the choices. `base.json` holds the checksum of the base weights it belongs to.

The system message:

> {config.task.language.description.strip()}

What it costs to be run by it is in the `metrics.json` and `report.html` of the run's folder.
"""
