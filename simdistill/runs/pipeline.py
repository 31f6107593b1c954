"""A run from simulator to report: teach, distil, examine, report. Every finished stage is kept."""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from simdistill import distributed as launched
from simdistill import registry
from simdistill import report as reporting
from simdistill.config import RunConfig, for_training
from simdistill.config.names import FROM_A_MODEL
from simdistill.data import question as questions
from simdistill.data.question import Question
from simdistill.envs.episodes import Failure
from simdistill.envs.prompts import Prompter
from simdistill.errors import InputError
from simdistill.evaluation.evaluator import Examination
from simdistill.evaluation.student_policy import Asking
from simdistill.executors import Map, simulating
from simdistill.files import read_json, write_json
from simdistill.models.device import chosen_device, release_memory
from simdistill.models.pruning import layers_kept, student_base
from simdistill.models.student import Student
from simdistill.runs import console as terminal
from simdistill.runs.record import Record, environment
from simdistill.simulation import TRAIN, TUNE, Policy
from simdistill.simulation.policies import unsendable
from simdistill.simulation.streams import without_tests
from simdistill.simulation.withheld import training
from simdistill.teachers import store
from simdistill.teachers.cost_to_go import Labels, Searched
from simdistill.teachers.language_models.base import LanguageTeacher
from simdistill.teachers.on_policy import visit
from simdistill.teachers.search import SearchTeacher, demonstrate, improve
from simdistill.teachers.state_search import GROUPS, outcome, search, search_group
from simdistill.training.first_questions import first_questions
from simdistill.training.method import Method
from simdistill.training.teacher_model import checksums

Progress = Callable[[str, int, int], None]

DISTILLED = "distilled.json"
OWN_STATES = 1000
"""Numbers the searches on the student's own states, after those of the teacher's generations."""


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
            simulating(config.workers) as compute,
            terminal.Stages(console).shown() as progress,
        ):
            if not (record.folder / "environment.json").exists():
                write_json(record.folder / "environment.json", environment())
            taught = Run(record, for_training(config), training(compute), progress)
            with without_tests():
                taught.prepare()
                taught.teach()
                taught.distil()
            Run(record, config, compute, progress).examine(again)
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
    if not (record.folder / DISTILLED).exists():
        with without_tests():
            registry.load("methods", config.method.name)(for_training(config), record.folder).assist()
    return record.folder


def _set_threads(config: RunConfig) -> None:
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(config.threads or max(1, cores // launched.processes_here()))


def _with_spent(record: Record) -> None:
    """Brings times, memory and provenance in `metrics.json` up to date."""
    path = record.folder / "metrics.json"
    write_json(path, read_json(path) | record.spent() | record.provenance())


class Run:
    """The stages of one run.

    Args:
        record: The run's folder.
        config: Its configuration.
        compute: Runs simulations.
        progress: Shows how far a phase is.
    """

    def __init__(self, record: Record, config: RunConfig, compute: Map, progress: Progress):
        self.record, self.config, self.compute, self.progress = record, config, compute, progress
        self.folder = record.folder
        self.training = self.folder / "training"
        self.language = Prompter(config.task.language)
        self.device = chosen_device(config.device)

    def prepare(self) -> None:
        """Finds out whether workers have the policies, and training all it needs, before all else."""
        simulator = self.config.task.simulator
        wrong = unsendable(registry.policies(simulator)) if self.config.workers != 1 else []
        if wrong:
            raise InputError(f"simulator {simulator}: {wrong[0]}")
        if not (self.folder / DISTILLED).exists():
            self._method().prepare()
            self._check_language_model()

    def _method(self) -> Method:
        return registry.load("methods", self.config.method.name)(self.config, self.folder)

    # Teach: search, then turn searched states into questions.

    def teach(self) -> None:
        """Finds the teacher, and writes its questions and held-out ones."""
        if (self.training / "teacher.json").exists():
            return
        config = self.config
        with self.record.timed("teach"):
            model = self._language_model(begins=True)
            failures: list[Failure] = []
            learn = improve if config.teacher.name == "search" else demonstrate
            teacher, lesson = learn(config.task, config.teacher, config.seed, self.compute, self.progress)
            train = self._questions(teacher, lesson.searched, lesson.labels, "train", 0)
            train = train[: max(stage.taught.stop for stage in self._method().stages)]
            train = self._with_forecasts(train, lesson.searched[: len(train)], teacher.policy)
            train = self._answered(model, train, "let the teacher answer")
            questions.save(train, self.training / "questions-0.parquet")
            per_scenario = config.teacher.episodes_per_scenario * config.teacher.states_per_episode
            scenarios = -(-config.distill.tune_questions // per_scenario)
            held_out = search(
                config.task,
                config.teacher,
                (config.seed, TUNE),
                0,
                scenarios,
                teacher.policy,
                self.compute,
                failures,
                partial(self.progress, "hold out questions"),
            )
            tune = self._questions(teacher, held_out, teacher.regression.label(held_out), "tune", 0)
            tune = self._answered(
                model, tune[: config.distill.tune_questions], "let the teacher answer held-out questions"
            )
            questions.save(tune, self.folder / "tune.parquet")
            teacher = replace(teacher, failures=(*teacher.failures, *failures))
            store.save(
                teacher,
                self.training / "teacher.json",
                config.teacher.played if teacher.demonstrates else config.teacher.base,
            )

    def _questions(
        self, teacher: SearchTeacher, searched: Sequence[Searched], labels: Labels, split: str, number: int
    ) -> list[Question]:
        return questions.decision_questions(
            searched,
            labels,
            self.language,
            task=self.config.task.name,
            simulator=self.config.task.simulator,
            split=split,
            round=number,
            demonstrated=teacher.policy if teacher.demonstrates else None,
        )

    def _with_forecasts(
        self, asked: list[Question], searched: Sequence[Searched], policy: Policy
    ) -> list[Question]:
        """Puts a forecast behind some of the decisions, whose prompts have the same beginning."""
        forecasts = registry.load("simulators", self.config.task.simulator).forecasts
        count = min(self.config.distill.forecasts, len(searched)) if forecasts else 0
        places = np.linspace(0, len(searched), count, endpoint=False).astype(int).tolist()
        posed = [
            (searched[place].situation, forecasts[number % len(forecasts)])
            for number, place in enumerate(places)
        ]
        simulate = partial(outcome, self.config.task.simulator, policy, self.config.teacher.forecast_futures)
        found: dict[int, Question] = {}
        for place, (situation, forecast), buckets_K in zip(
            places, posed, self.compute(simulate, posed), strict=True
        ):
            found[place] = questions.forecast_question(
                situation,
                forecast,
                buckets_K,
                self.language,
                task=self.config.task.name,
                simulator=self.config.task.simulator,
                split="train",
                group=searched[place].group,
            )
            self.progress("ask for outcomes", len(found), count)
        together = [[question, found.get(place)] for place, question in enumerate(asked)]
        return [question for pair in together for question in pair if question is not None]

    def _language_model(self, begins: bool = False) -> LanguageTeacher | None:
        """Loads the teacher if it is a language model.

        Args:
            begins: Whether nothing was asked yet; later it must be the one that was asked before.
        """
        settings = self.config.teacher
        if not settings.is_language_model:
            return None
        model = registry.load("teachers", settings.name)(settings, self.config.seed)
        if begins:
            model.check(first_questions(self.config))
            write_json(self._model_file, model.made_by)
        self._check_unchanged(model.made_by)
        return model

    def _check_language_model(self) -> None:
        """Checks that a run which goes on learns from the language model that it began to learn from.

        Else it would train on answers, or beside hidden states, of two models.
        """
        if self.config.teacher.is_language_model:
            if (self.training / "teacher.json").exists():
                self._language_model()
        elif self.config.method.name in FROM_A_MODEL:
            made_by = checksums(self.config)
            if not self._model_file.exists():
                write_json(self._model_file, made_by)
            self._check_unchanged(made_by)

    @property
    def _model_file(self) -> Path:
        """Checksums of the language model that is learned from."""
        return self.training / "language_model.json"

    def _check_unchanged(self, made_by: dict[str, str | None]) -> None:
        known = read_json(self._model_file)
        changed = [part for part, made in made_by.items() if known.get(part) != made]
        if changed:
            raise InputError(
                f"{self.folder}: the teacher {self.config.teacher.model} has changed since this run began to "
                f"learn from it: {', '.join(changed)}. Begin a new run, or bring back the old one."
            )

    def _answered(self, model: LanguageTeacher | None, asked: list[Question], phase: str) -> list[Question]:
        """Replaces the answers by those of a language model, if one teaches."""
        return asked if model is None else model.label(asked, partial(self.progress, phase))

    # Distil.

    def distil(self) -> None:
        """Trains the student and gathers all its questions in one file."""
        if (self.folder / DISTILLED).exists():
            return
        config = self.config
        method = self._method()
        with self.record.timed("distil"):
            tune = questions.load(self.folder / "tune.parquet")[: config.distill.tune_questions]
            done = method(tune, self._own_states, _card(config), self.progress)
            rounds = sorted(self.training.glob("questions-*.parquet"))
            asked = [question for path in rounds for question in questions.load(path)]
            questions.save(asked, self.folder / "questions.parquet")
            os.replace(method.adapter(), self.folder / "adapter")
            write_json(self.folder / DISTILLED, {"questions": done.questions, "tokens": done.tokens})

    def _own_states(self, number: int, student: Student) -> list[Question]:
        """Lets the student play episodes, and searches the states that it meets."""
        config, teacher = self.config, self._teacher()
        with self.record.timed("own states"):
            failures: list[Failure] = []
            key = OWN_STATES + number
            met = visit(
                config.task,
                config.teacher,
                config.distill,
                (config.seed, TRAIN),
                key,
                Asking(student, self.language),
                failures,
                partial(self.progress, f"own states, round {number}"),
            )
            groups = [(key * GROUPS + scenario, situations) for scenario, situations in met.items()]
            label = partial(search_group, config.task.simulator, config.teacher, teacher.policy)
            searched = [item for found in self.compute(label, groups) for item in found]
            write_json(self.training / f"failures-{number}.json", [asdict(failure) for failure in failures])
            steps = sum(item.values.decisions for item in searched)
            write_json(
                self.training / f"own-states-{number}.json",
                {"states": len(searched), "simulator_steps": steps},
            )
            asked = self._questions(teacher, searched, teacher.regression.label(searched), "train", number)
            return self._answered(
                self._language_model(),
                asked[: config.distill.round_questions],
                f"let the teacher answer, round {number}",
            )

    def _teacher(self) -> SearchTeacher:
        return store.load(self.training / "teacher.json", self.config.task.simulator)

    # Examine.

    def examine(self, again: bool) -> None:
        """Examines every policy and writes what the report needs; a finished examination only if `again`."""
        if (self.folder / "metrics.json").exists() and not again:
            return
        with self.record.timed("examine"):
            teacher = self._teacher()
            release_memory()
            load = partial(Student.load, student_base(self.config.student), device=self.device)
            student = load(self.folder / "adapter")
            examination = Examination(self.config, self.language, self.compute, self.progress)
            lessons = questions.load(self.folder / "questions.parquet")
            examination.run(teacher, student, load, lessons, self._language_model())
            examination.write(self.folder, teacher, self.record.spent())


def _card(config: RunConfig) -> str:
    """Returns the adapter's model card."""
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
