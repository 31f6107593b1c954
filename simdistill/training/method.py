"""Base class of all methods: stages of training, each with its questions, its student and its adapter."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from simdistill import distributed as launched
from simdistill.config import DistillConfig, RunConfig, StudentConfig
from simdistill.data.ordering import apart, balanced, mixed
from simdistill.data.question import Question
from simdistill.data.store import load, save
from simdistill.errors import InputError
from simdistill.files import read_json, write_json
from simdistill.models.choice_model import Asked
from simdistill.progress import Progress
from simdistill.teachers.loading import answers_itself
from simdistill.training.clock import Clock
from simdistill.training.first_questions import first_questions
from simdistill.training.schedule import Schedule, part_of
from simdistill.training.stages import RoundResult, Stage, check_questions

if TYPE_CHECKING:
    import torch
    from transformers import TrainerCallback

    from simdistill.models.student import Student

Collect = Callable[[int, "Student"], list[Question]]
"""Function (number of the stage, student) -> questions about states of the student's own rollouts."""

WEIGHTS = ("imitation", "soft", "regret", "validity")
"""Fields of `distill` that are weights of a loss's terms."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Distilled:
    """Resources that distillation used.

    Attributes:
        questions: Number of questions that the student was trained on.
        tokens: Number of token positions computed in training.
    """

    questions: int
    tokens: int


class Method:
    """A method of distillation: stages of training. A subclass defines `stages` and `train`.

    Attributes:
        learning_rate: Peak learning rate if `distill.learning_rate` isn't set.
        loss_weights_used: Those of `WEIGHTS` that the method uses; a warning names others that are set.
        learns_from: Outputs of the language model `teacher.model` that the method learns from, such as
            "hidden states", whichever teacher answers the questions; None if it needs no such model.

    Args:
        config: Configuration of the run.
        folder: Folder of the run; results of stages, checkpoints and adapters are kept in its `training/`.
    """

    learning_rate = 1e-3
    loss_weights_used: Sequence[str] = WEIGHTS
    learns_from: str | None = None

    def __init__(self, config: RunConfig, folder: Path):
        self.config, self.folder = config, folder
        self.training = folder / "training"

    def prepare(self) -> None:
        """Checks that the method can train with this configuration; called before anything is simulated.

        Raises:
            InputError: If something is missing or doesn't fit.
        """
        from simdistill.models.device import release_memory
        from simdistill.models.pruning import student_base
        from simdistill.models.student import Student

        base = student_base(self.config.student)
        for number in range(len(self.stages)):
            self.schedule(number)  # raises InputError if a batch can't be divided into parts or processes
        if getattr(self.config.method, "vllm", False):
            _check_vllm(self.device)
        self._tell_unused()
        self.check_models(Student.load(base), first_questions(self.config))
        release_memory()

    def _tell_unused(self) -> None:
        unused = _unused(self.config.distill, self.loss_weights_used)
        if unused:
            log.warning("method=%s doesn't use %s", self.config.method.name, unused)
        teacher = self.config.teacher
        if teacher.model and not answers_itself(teacher.name) and not self.learns_from:
            log.warning(
                "teacher.model=%s isn't used: method=%s learns only from teacher.name=%s; to learn from the "
                "model's answers set teacher=hf or teacher=endpoint",
                teacher.model,
                self.config.method.name,
                teacher.name,
            )

    def check_models(self, student: "Student", asked: Sequence[Asked]) -> None:
        """Checks that the method can train the student and learn from its teacher model, if it has one.

        Args:
            student: The student before training, loaded for deciding.
            asked: Some of the run's questions.

        Raises:
            InputError: If a language model doesn't suit the method.
        """
        student.check_packing(asked)

    @property
    def stages(self) -> list[Stage]:
        """The stages of training, in their order."""
        raise NotImplementedError

    def train(
        self,
        number: int,
        student: "Student",
        questions: Sequence[Question],
        callbacks: list["TrainerCallback"],
    ) -> RoundResult:
        """Trains the student in place in one stage.

        Args:
            number: Number of the stage, from 0.
            student: The student with its adapter.
            questions: Questions of the stage, in their order.
            callbacks: Callbacks of the trainer.
        """
        raise NotImplementedError

    def __call__(
        self, validation: Sequence[Question], collect: Collect, card: str, progress: Progress
    ) -> Distilled:
        """Trains stage after stage; finished stages of a stopped run are not repeated.

        Args:
            validation: Held-out questions for the learning curve.
            collect: Function that finds and labels states of the student's own rollouts.
            card: The adapter's model card, in Markdown.
            progress: Called with a phase's name, its finished steps and its total steps.

        Returns:
            Resources that all stages used. The adapter of the last stage is `adapter()`.
        """
        clock = Clock(self.training / "clock.jsonl")
        numbers = range(len(self.stages))
        results = [self._stage(n, validation, collect, card, progress, clock) for n in numbers]
        return Distilled(sum(r.questions for r in results), sum(r.tokens for r in results))

    def assist(self) -> None:
        """Takes part in the training of unfinished stages, in a process other than the first."""
        for number in range(len(self.stages)):
            if not self._done(number).exists():
                launched.meet(self.device)
                self.train(number, self._student(number), self._questions(number), [])

    def adapter(self, number: int | None = None) -> Path:
        """Returns the folder of a stage's adapter, by default of the last stage's."""
        return self.training / f"adapter-{len(self.stages) - 1 if number is None else number}"

    def _stage(
        self,
        number: int,
        validation: Sequence[Question],
        collect: Collect,
        card: str,
        progress: Progress,
        clock: Clock,
    ) -> RoundResult:
        done = self._done(number)
        if done.exists():
            return RoundResult(**read_json(done))
        from simdistill.models.device import release_memory
        from simdistill.training.callbacks import MetricsWriter, Watch

        release_memory()
        self._collect(number, collect)
        questions = self._questions(number)
        release_memory()
        student = self._student(number)
        earlier = [RoundResult(**read_json(self._done(n))) for n in range(number)]
        writer = MetricsWriter(
            self.folder / "metrics.jsonl",
            self.stages[number].batch_size,
            round=number,
            first_step=sum(result.steps for result in earlier),
            first_question=sum(result.questions for result in earlier),
            first_token=sum(result.tokens for result in earlier),
        )
        every = self.config.distill.validation_steps
        watch = Watch(
            student, validation, every, self.dtype, writer, clock, self.stages[number].title, progress
        )
        launched.meet(self.device)
        result = self.train(number, student, questions, [writer, watch])
        student.save_adapter(self.adapter(number), card)
        write_json(done, asdict(result))
        return result

    def _done(self, number: int) -> Path:
        return self.training / f"round-{number}.json"

    def _student(self, number: int) -> "Student":
        from simdistill.models.lora import Lora
        from simdistill.models.pruning import student_base
        from simdistill.models.student import Student

        student, lora = self.config.student, self.config.student.lora
        return Student.for_training(
            student_base(student),
            Lora(lora.r, lora.alpha, _frozen(lora.targets), _layers(student)),
            self.config.seed,
            self.adapter(number - 1) if number else None,
            self.dtype,
            self.device,
        )

    @property
    def device(self) -> str:
        """Device on which the student is trained, "cpu" or "cuda"."""
        from simdistill.models.device import chosen_device

        return chosen_device(self.config.device)

    @cached_property
    def dtype(self) -> "torch.dtype":
        """Floating-point type of training; a resumed run keeps the type that it began with."""
        import torch

        from simdistill.models.device import faster_dtype

        chosen = self.training / "dtype.json"
        if not chosen.exists():
            wanted = self.config.student.dtype
            dtype = faster_dtype(self.device) if wanted == "auto" else getattr(torch, wanted)
            write_json(chosen, str(dtype).removeprefix("torch."))
        return getattr(torch, read_json(chosen))

    def step(self, number: int) -> int:
        """Returns the number of rows in a stage's optimizer step: of questions, or of sampled answers."""
        return self.stages[number].batch_size

    def schedule(self, number: int) -> Schedule:
        """Returns a stage's schedule; over all stages the learning rate falls linearly to zero."""
        settings, sizes = self.config.distill, [stage.size for stage in self.stages]
        peak = settings.learning_rate or self.learning_rate
        total, before = sum(sizes), sum(sizes[:number])
        return Schedule(
            learning_rate=peak * (1 - before / total),
            end_learning_rate=peak * (1 - (before + sizes[number]) / total),
            warmup_steps=0 if number else settings.warmup_steps,
            batch_size=part_of(self.step(number), settings.accumulation),
            output_dir=self.training / f"checkpoints-{number}",
            seed=self.config.seed,
            checkpoint_steps=settings.checkpoint_steps,
            accumulation=settings.accumulation,
            bf16=str(self.dtype) == "torch.bfloat16",
            device=self.device,
            resume=True,
        )

    def _collect(self, number: int, collect: Collect) -> None:
        """Writes a stage's questions about the student's own states to their file, if it doesn't exist."""
        from simdistill.models.pruning import student_base
        from simdistill.models.student import Student

        own, path = self.stages[number].on_policy, self._own(number)
        if own and not path.exists():
            student = Student.load(student_base(self.config.student), self.adapter(number - 1), self.device)
            save(collect(number, student)[:own], path)

    def _own(self, number: int) -> Path:
        return self.training / f"questions-{number}.parquet"

    def _questions(self, number: int) -> list[Question]:
        stage = self.stages[number]
        path = self.training / "questions-0.parquet"
        asked = stage.of(load(path))
        if stage.on_policy:
            path = self._own(number)
            asked = mixed(apart(load(path)), asked)
        check_questions(asked, path)
        asked = self.wanted(asked)
        return balanced(asked, stage.batch_size) if self.config.distill.balanced else asked

    def wanted(self, questions: list[Question]) -> list[Question]:
        """Returns the questions of a stage that the method learns from, by default all of them."""
        return questions

    @property
    def scales(self) -> dict[str, float]:
        """Scale of each task by the task's name, in cost units."""
        return {task.name: task.scale for task in self.config.tasks}


def _check_vllm(device: str) -> None:
    if device != "cuda":
        raise InputError(
            f"method.vllm=true needs a graphics card, and this run is on device={device}; leave it out"
        )
    if find_spec("vllm") is None:
        raise InputError("method.vllm=true: vLLM isn't installed; pip install 'simdistill[vllm]'")


def _unused(settings: DistillConfig, loss_weights_used: Sequence[str]) -> str:
    """Returns the loss weights that were set but aren't used, as text for a warning."""
    fields = DistillConfig.model_fields
    found = {name: getattr(settings, name) for name in WEIGHTS if name not in loss_weights_used}
    return ", ".join(f"distill.{n}={value:g}" for n, value in found.items() if value != fields[n].default)


def _layers(student: StudentConfig) -> int | None:
    """Returns the number of layers with an adapter; no more than a pruned student has."""
    wanted, there = student.lora.layers, student.layers
    return wanted if wanted is None or there is None else min(wanted, there)


def _frozen(targets: str | list[str]) -> str | tuple[str, ...]:
    return targets if isinstance(targets, str) else tuple(targets)
