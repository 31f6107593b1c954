"""A run from simulator to report. Each stage's results are saved, so a resumed run skips finished stages."""

import os
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from simdistill import distributed as launched
from simdistill import registry
from simdistill import report as reporting
from simdistill.config import RunConfig, TaskConfig, for_training
from simdistill.config.names import learns_from
from simdistill.data import store as questions
from simdistill.data.question import Question
from simdistill.errors import InputError
from simdistill.evaluation import outputs
from simdistill.executors import Map, cores, simulating
from simdistill.files import read_json, write_json
from simdistill.models.device import chosen_device
from simdistill.models.student import Student
from simdistill.progress import Progress
from simdistill.results import Results
from simdistill.runs import console as terminal
from simdistill.runs import stages
from simdistill.runs.checking import check_tasks, check_when_asked
from simdistill.runs.environment import environment
from simdistill.runs.kept import kept
from simdistill.runs.record import Record
from simdistill.runs.resuming import examination_is_finished, settle
from simdistill.simulation.policies import unsendable
from simdistill.simulation.streams import without_tests
from simdistill.simulation.withheld import training
from simdistill.teachers.loading import answers_itself, load_teacher
from simdistill.teachers.protocol import Lesson, Teacher
from simdistill.training.first_questions import first_questions
from simdistill.training.method import Method
from simdistill.training.teacher_model import checksums


def run(config: RunConfig, console: Console) -> Path:
    """Runs a configuration from start to report; returns the run's folder."""
    folder = Record.new(config).folder if launched.is_first() else None
    return resume(launched.agreed(folder, chosen_device(config.device)), console)


def start(config: RunConfig) -> Path:
    """Makes a run's folder and returns it; `resume` then runs all stages."""
    return Record.new(config).folder


def resume(folder: Path, console: Console) -> Path:
    """Resumes a stopped run without repeating finished stages and training steps; returns its folder.

    Raises:
        InputError: If its `config.yaml` has been edited in fields on which results that exist depend.
    """
    record = Record.of(folder)
    if not launched.is_first():
        return _assist(record)
    settle(folder)
    return _go(record, console)


def evaluate(folder: Path, console: Console) -> Path:
    """Examines a finished run's student again, rewrites its report, and returns the run's folder."""
    record = Record.of(folder)
    settle(folder, again=True)
    return _go(record, console, again=True)


def report(folder: Path, console: Console) -> Path:
    """Rewrites the report of an examined run and returns its path."""
    page = reporting.write_report(folder)
    console.print(f"report: {page}")
    return page


def _go(record: Record, console: Console, again: bool = False) -> Path:
    config = record.config
    _set_threads(config)
    console.print(f"[bold]{config.task.name}[/]  {config.task.description}\n[dim]{record.folder}")
    try:
        with (
            record.locked(),
            simulating(config.workers, config.compute) as compute,
            terminal.progress_on(console) as progress,
        ):
            kept(record.layout.environment, partial(environment, config), write_json, read_json)
            with without_tests():
                check(record, config)
                if not _taught(record):
                    check_tasks(config, console, progress)
                teach(record, compute, progress)
                train(record, compute, progress)
            examine(record, compute, progress, again)
            _with_spent(record)
            progress("write the report", 0, 1)
            with record.timed("report"):
                page = reporting.write_report(record.folder)
            progress("write the report", 1, 1)
            _with_spent(record)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(str(record.folder)) from None
    terminal.results(console, Results.read(record.layout.metrics), config)
    console.print(f"report: {page}")
    return record.folder


def _assist(record: Record) -> Path:
    """Takes part in training; the first process does everything else."""
    config = record.config
    _set_threads(config)
    if not record.layout.trained.exists():
        with without_tests():
            _method(record).assist()
    return record.folder


def _set_threads(config: RunConfig) -> None:
    torch.set_num_threads(config.threads or max(1, cores() // launched.processes_here()))


def _with_spent(record: Record) -> None:
    """Updates times, memory and provenance in `metrics.json`."""
    path = record.layout.metrics
    Results.read(path).model_copy(update=record.spent() | record.provenance()).write(path)


def check(record: Record, config: RunConfig) -> None:
    """Checks, before the first stage, that policies can be sent to workers and that training can be run."""
    for task in config.tasks if config.workers != 1 else []:
        wrong = unsendable(registry.policies(task.simulator))
        if wrong:
            raise InputError(f"simulator {task.simulator}: {wrong[0]}")
    if record.layout.number == 1:
        check_when_asked(config)
    if not record.layout.trained.exists():
        _method(record).prepare()
        _check_teacher(record)


def teach(record: Record, compute: Map, progress: Progress) -> None:
    """Runs each task's teacher, turns its lesson into questions, and saves both, the lessons last."""
    config, layout = for_training(record.config), record.layout
    if _taught(record):
        return
    compute, lessons, asked = training(compute), {}, []
    with record.timed("teach"):
        decisions = max(stage.taught.stop for stage in _method(record).stages)
        share = -(-decisions // len(config.tasks))
        for task in config.tasks:
            teacher = _teacher(record, task, begins=True)
            lesson = stages.teach(task, teacher, compute, progress)
            found = stages.ask(task, config, teacher, lesson, share, compute, progress)
            lessons[task.name] = replace(lesson, failures=(*lesson.failures, *found.failures))
            asked.append(found)
        questions.save([question for found in asked for question in found.train], layout.taught)
        questions.save([question for found in asked for question in found.validation], layout.validation)
        for name, lesson in lessons.items():
            lesson.save(layout.of_task(name))


def _taught(record: Record) -> bool:
    """Returns whether the lessons of all tasks are saved."""
    return all(record.layout.lesson(task.name).exists() for task in record.config.tasks)


def train(record: Record, compute: Map, progress: Progress) -> None:
    """Trains the student, and writes all its training questions to one file."""
    layout = record.layout
    if layout.trained.exists():
        return
    method, settings = _method(record), record.config.distill
    with record.timed("distil"):
        validation = questions.load(layout.validation)[: settings.validation_questions]
        collect = partial(_on_policy, record, training(compute), progress)
        done = stages.train(method, validation, collect, progress)
        scales = {task.name: task.scale for task in record.config.tasks}
        questions.save(record.questions(), layout.questions, scales)
        if not layout.adapter.exists():  # else the run was stopped after this line
            os.replace(method.adapter(), layout.adapter)
        write_json(layout.trained, {"questions": done.questions, "tokens": done.tokens})


def _on_policy(
    record: Record, compute: Map, progress: Progress, number: int, student: Student
) -> list[Question]:
    """Returns questions on states of the student's own rollouts, and saves the resources they used."""
    config, asked = for_training(record.config), []
    for task in config.tasks:
        folder = record.layout.of_task(task.name)
        lesson = Lesson.load(folder, task.simulator)
        with record.timed("own states"):
            teacher = _teacher(record, task)
            found = stages.ask_on_policy(task, config, teacher, lesson, student, number, compute, progress)
            write_json(folder / f"failures-{number}.json", [asdict(failure) for failure in found.failures])
            taken = {"states": found.states, "simulator_steps": found.steps}
            write_json(folder / f"own-states-{number}.json", taken)
            asked += found.questions
    return asked


def examine(record: Record, compute: Map, progress: Progress, again: bool = False) -> None:
    """Examines every policy and writes the results; a finished examination is repeated only if `again`."""
    config, layout = record.config, record.layout
    if examination_is_finished(layout) and not again:
        return
    with record.timed("examine"):
        asked, found = questions.load(layout.questions), []
        for task in config.tasks:
            lesson, teacher = Lesson.load(layout.of_task(task.name), task.simulator), _teacher(record, task)
            examination = stages.examine(
                task, config, teacher, lesson, layout.adapter, asked, compute, progress
            )
            found.append((lesson, examination))
        outputs.write(layout, config, found, record.spent() | record.provenance())


def _method(record: Record) -> Method:
    config = for_training(record.config)
    return registry.load("methods", config.method.name)(config, record.folder)


def _teacher(record: Record, task: TaskConfig, begins: bool = False) -> Teacher:
    """Loads the teacher of a task; later in a run, its model must not have changed.

    Args:
        record: The run's folder.
        task: The task.
        begins: Whether the run begins with this teacher, so that there is no earlier model to compare with.
    """
    config = record.config
    teacher = load_teacher(config.teacher, config.seed, task.simulator)
    check_questions = getattr(teacher, "check", None)
    if begins and check_questions is not None:
        check_questions(first_questions(for_training(config)))
    made_by = getattr(teacher, "made_by", None)
    if made_by is not None:
        if begins:
            write_json(record.layout.made_by, made_by)
        _check_unchanged(record, made_by)
    return teacher


def _check_teacher(record: Record) -> None:
    """Checks that the model that a resumed run learns from hasn't changed since the run began.

    Otherwise the student would be trained on the answers, or hidden states, of two different models.
    """
    config, layout = record.config, record.layout
    for task in config.tasks:
        if layout.lesson(task.name).exists():
            _teacher(record, task)
    if learns_from(config.method.name) and not answers_itself(config.teacher.name):
        made_by = checksums(config)
        kept(layout.made_by, lambda: made_by, write_json, read_json)
        _check_unchanged(record, made_by)


def _check_unchanged(record: Record, made_by: dict[str, str | None]) -> None:
    known = read_json(record.layout.made_by)
    changed = [part for part, made in made_by.items() if known.get(part) != made]
    if changed:
        teacher = record.config.teacher
        raise InputError(
            f"{record.folder}: the teacher {teacher.model or teacher.name} has changed since this run began "
            f"to learn from it: {', '.join(changed)}. Begin a new run, or restore the old teacher."
        )
