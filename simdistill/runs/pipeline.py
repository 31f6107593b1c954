"""A run from simulator to report. What a stage made is kept, and a stopped run doesn't make it again."""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from simdistill import distributed as launched
from simdistill import registry
from simdistill import report as reporting
from simdistill.config import RunConfig, for_training
from simdistill.config.names import FROM_A_MODEL
from simdistill.data import question as questions
from simdistill.data.question import Question
from simdistill.errors import InputError
from simdistill.executors import Map, cores, simulating
from simdistill.files import read_json, write_json
from simdistill.models.device import chosen_device
from simdistill.models.student import Student
from simdistill.progress import Progress
from simdistill.runs import console as terminal
from simdistill.runs import stages
from simdistill.runs.environment import environment
from simdistill.runs.record import Record
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
    """Makes a run's folder; `resume` then does everything."""
    return Record.new(config).folder


def resume(folder: Path, console: Console) -> Path:
    """Goes on with a stopped run; finished stages and trained steps aren't done again."""
    record = Record.of(folder)
    return _go(record, console) if launched.is_first() else _assist(record)


def evaluate(folder: Path, console: Console) -> Path:
    """Examines a finished run's student again and writes its report anew."""
    return _go(Record.of(folder), console, again=True)


def report(folder: Path, console: Console) -> Path:
    """Writes the report of an examined run anew."""
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
            simulating(config.workers, config.compute.name, config.compute) as compute,
            terminal.Stages(console).shown() as progress,
        ):
            if not (record.folder / "environment.json").exists():
                write_json(record.folder / "environment.json", environment(config))
            with without_tests():
                check(record, config)
                teach(record, compute, progress)
                train(record, compute, progress)
            examine(record, compute, progress, again)
            _with_spent(record)
            with record.timed("report"):
                page = reporting.write_report(record.folder)
            _with_spent(record)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(str(record.folder)) from None
    terminal.results(console, read_json(record.folder / "metrics.json"), config.task.cost_unit)
    console.print(f"report: {page}")
    return record.folder


def _assist(record: Record) -> Path:
    """Trains along with the first process, which does everything else."""
    config = record.config
    _set_threads(config)
    if not record.trained.exists():
        with without_tests():
            _method(record).assist()
    return record.folder


def _set_threads(config: RunConfig) -> None:
    torch.set_num_threads(config.threads or max(1, cores() // launched.processes_here()))


def _with_spent(record: Record) -> None:
    """Brings times, memory and provenance in `metrics.json` up to date."""
    path = record.folder / "metrics.json"
    write_json(path, read_json(path) | record.spent() | record.provenance())


def check(record: Record, config: RunConfig) -> None:
    """Checks that workers can have the policies and that training has all it needs, before all else."""
    simulator = config.task.simulator
    wrong = unsendable(registry.policies(simulator)) if config.workers != 1 else []
    if wrong:
        raise InputError(f"simulator {simulator}: {wrong[0]}")
    if not record.trained.exists():
        _method(record).prepare()
        _check_teacher(record)


def teach(record: Record, compute: Map, progress: Progress) -> None:
    """Finds the teacher, and writes its questions and held-out ones."""
    if record.lesson.exists():
        return
    config, compute = for_training(record.config), training(compute)
    with record.timed("teach"):
        teacher = _teacher(record, begins=True)
        lesson = stages.teach(config.task, teacher, compute, progress)
        count = max(stage.taught.stop for stage in _method(record).stages)
        asked = stages.ask(config.task, config, teacher, lesson, count, compute, progress)
        questions.save(asked.train, record.training / "questions-0.parquet")
        questions.save(asked.validation, record.validation)
        replace(lesson, failures=(*lesson.failures, *asked.failures)).save(record.training)


def train(record: Record, compute: Map, progress: Progress) -> None:
    """Trains the student and gathers all its questions in one file."""
    if record.trained.exists():
        return
    method, settings = _method(record), record.config.distill
    with record.timed("distil"):
        validation = questions.load(record.validation)[: settings.tune_questions]
        collect = partial(_on_policy, record, training(compute), progress)
        done = stages.train(method, validation, collect, progress)
        questions.save(record.questions(), record.folder / "questions.parquet")
        os.replace(method.adapter(), record.adapter)
        write_json(record.trained, {"questions": done.questions, "tokens": done.tokens})


def _on_policy(
    record: Record, compute: Map, progress: Progress, number: int, student: Student
) -> list[Question]:
    """Asks about states of the student's own rollouts, and writes down what that took."""
    config, training = for_training(record.config), record.training
    lesson = Lesson.load(training, config.task.simulator)
    with record.timed("own states"):
        teacher = _teacher(record)
        asked = stages.ask_on_policy(config.task, config, teacher, lesson, student, number, compute, progress)
        write_json(training / f"failures-{number}.json", stages.failures_as_rows(asked.failures))
        taken = {"states": asked.states, "simulator_steps": asked.steps}
        write_json(training / f"own-states-{number}.json", taken)
        return asked.questions


def examine(record: Record, compute: Map, progress: Progress, again: bool = False) -> None:
    """Examines every policy and writes what the report needs; a finished examination only if `again`."""
    if (record.folder / "metrics.json").exists() and not again:
        return
    config = record.config
    with record.timed("examine"):
        teacher, lesson = _teacher(record), Lesson.load(record.training, config.task.simulator)
        lessons = questions.load(record.folder / "questions.parquet")
        examination = stages.examine(config, teacher, lesson, record.adapter, lessons, compute, progress)
        examination.write(record.folder, lesson, record.spent())


def _method(record: Record) -> Method:
    config = for_training(record.config)
    return registry.load("methods", config.method.name)(config, record.folder)


def _teacher(record: Record, begins: bool = False) -> Teacher:
    """Loads the teacher.

    Args:
        record: The run.
        begins: Whether nothing was asked yet; later it must be the teacher that was asked before.
    """
    config = record.config
    teacher = load_teacher(config.teacher, config.seed, config.task.simulator)
    check_questions = getattr(teacher, "check", None)
    if begins and check_questions is not None:
        check_questions(first_questions(for_training(config)))
    made_by = getattr(teacher, "made_by", None)
    if made_by is not None:
        if begins:
            write_json(record.made_by, made_by)
        _check_unchanged(record, made_by)
    return teacher


def _check_teacher(record: Record) -> None:
    """Checks that a run which goes on learns from the model that it began to learn from.

    Else it would train on answers, or beside hidden states, of two models.
    """
    config = record.config
    if record.lesson.exists():
        _teacher(record)
    if config.method.name in FROM_A_MODEL and not answers_itself(config.teacher.name):
        made_by = checksums(config)
        if not record.made_by.exists():
            write_json(record.made_by, made_by)
        _check_unchanged(record, made_by)


def _check_unchanged(record: Record, made_by: dict[str, str | None]) -> None:
    known = read_json(record.made_by)
    changed = [part for part, made in made_by.items() if known.get(part) != made]
    if changed:
        teacher = record.config.teacher
        raise InputError(
            f"{record.folder}: the teacher {teacher.model or teacher.name} has changed since this run began "
            f"to learn from it: {', '.join(changed)}. Begin a new run, or bring back the old one."
        )
