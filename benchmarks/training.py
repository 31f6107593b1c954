"""Training speed in questions per second: simdistill against TRL's SFTTrainer, with the same rows and model.

    python benchmarks/training.py          # ten minutes on two cores
    python benchmarks/training.py --quick  # two

The ratio is the product of three: the gain of a plain loop whose head scores the answer's positions only over
TRL, the gain of packing over this loop, and the rest. Prints a table and writes
`benchmarks/results/training.json`: a list of `measure`, `value`, `ci95`, `target`, `bound` (`at_least` or
`at_most`) and `command`.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import measures
import numpy as np
import torch
from measures import geometric, show
from rich.console import Console
from rich.progress import track
from transformers import TrainerCallback

from simdistill.config import RunConfig, compose
from simdistill.data.asking import Asking
from simdistill.data.kinds.decision import DecisionQuestion
from simdistill.data.question import Question
from simdistill.envs.prompts import Prompter
from simdistill.models.device import faster_dtype
from simdistill.models.lora import Lora
from simdistill.models.packing import pack
from simdistill.models.student import Student
from simdistill.teachers.loading import load_teacher
from simdistill.training.schedule import Schedule
from simdistill.training.trainers.batch import training_questions
from simdistill.training.trainers.exact import train_round
from simdistill.training.trainers.plain import sft_round
from simdistill.training.weights import Weights

RESULTS = Path(__file__).parent / "results" / "training.json"
PEAK_ROWS = 512
"""Number of rows of the matrix product that measures the machine's limit."""


class Clock(TrainerCallback):
    """Measures the time of training steps, without the first one, which is a warm-up."""

    def __init__(self):
        self.begin, self.seconds, self.steps = 0.0, 0.0, 0

    def on_step_begin(self, args, state, control, **kwargs):
        self.begin = time.perf_counter()

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step > 1:
            self.seconds += time.perf_counter() - self.begin
            self.steps += 1


def rows(config: RunConfig, count: int) -> list[DecisionQuestion]:
    """Returns questions of the form that a run asks; a simple policy teaches, as only the form matters."""
    teacher = config.teacher.model_copy(
        update={
            "name": "shortest_expected_delay",
            "scenarios": -(-count // 8),
            "episodes_per_scenario": 4,
            "states_per_episode": 2,
            "futures": 2,
            "horizon": 1.0,
        }
    )
    lesson = load_teacher(teacher, 0, config.task.simulator).teach(config.task, map, lambda *shown: None)
    return DecisionQuestion.pose(
        Asking(
            task=config.task,
            prompts=Prompter(config.task.language),
            searched=lesson.searched,
            labels=lesson.labels,
            policy=lesson.policy,
            demonstrated=lesson.demonstrated,
        ),
        count,
    )


class Trainings:
    """Trains on the same questions in several ways, each from a new adapter.

    Args:
        config: Settings of the run.
        questions: The training questions.
    """

    def __init__(self, config: RunConfig, questions: Sequence[Question]):
        self.config, self.questions, self.dtype = config, questions, faster_dtype()
        self.tokens = 0

    def student(self) -> Student:
        lora = self.config.student.lora
        return Student.for_training(
            self.config.student.name, Lora(lora.r, lora.alpha, layers=lora.layers), 0, dtype=self.dtype
        )

    def ours(self, batch_size: int = 16, weights: Weights | None = None) -> float:
        """Returns questions per second with simdistill's packed exact loss."""
        student, clock = self.student(), Clock()
        with tempfile.TemporaryDirectory() as folder:
            result = train_round(
                student.model,
                student.tokenizer,
                training_questions(
                    student, self.questions, {self.config.task.name: self.config.task.scale}, 0.1
                ),
                self.schedule(folder, batch_size),
                weights or Weights(1.0, 1.0, 1.0, 1.0),
                [clock],
            )
        self.tokens = result.tokens
        return batch_size * clock.steps / clock.seconds

    def trl(self, batch_size: int) -> float:
        """Returns questions per second with TRL's SFTTrainer."""
        student, clock = self.student(), Clock()
        with tempfile.TemporaryDirectory() as folder:
            sft_round(student, self.questions, self.schedule(folder, batch_size), [clock])
        return batch_size * clock.steps / clock.seconds

    def schedule(self, folder: str, batch_size: int) -> Schedule:
        return Schedule(1e-3, 0.0, 0, batch_size, Path(folder), 0, 0, bf16=self.dtype == torch.bfloat16)

    def unpacked(self, batch_size: int) -> float:
        """Returns questions per second with a plain loop whose head scores the answer's positions only.

        Each question is one padded row, as in TRL; the gain over TRL is due to the head and the trainer.
        """
        student = self.student()
        student.model.train()
        rows = [
            (*question.prompt_ids, *question.choice_ids[0], question.end_id)
            for question in (student.tokenize(q.prompt, q.choices) for q in self.questions)
        ]
        optimizer = torch.optim.AdamW([p for p in student.model.parameters() if p.requires_grad], lr=1e-3)
        seconds, done = 0.0, 0
        for begin in range(0, len(rows) - batch_size + 1, batch_size):
            start = time.perf_counter()
            batch = rows[begin : begin + batch_size]
            longest = max(map(len, batch))
            ids = torch.tensor([[0] * (longest - len(row)) + list(row) for row in batch])
            mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in batch])
            autocast = torch.autocast("cpu", torch.bfloat16, enabled=self.dtype == torch.bfloat16)
            with autocast:
                logits = student.model(input_ids=ids, attention_mask=mask, logits_to_keep=3).logits[:, :-1]
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), ids[:, -2:].flatten())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(student.model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            if begin:
                seconds, done = seconds + time.perf_counter() - start, done + batch_size
        return done / seconds

    def arithmetic(self) -> float:
        """Returns the number of floating-point operations per question in simdistill's matrix products."""
        student = self.student()
        config = student.model.config
        layers, wanted = config.num_hidden_layers, self.config.student.lora.layers or config.num_hidden_layers
        head = config.num_key_value_heads * config.hidden_size // config.num_attention_heads
        layer = config.hidden_size * (2 * config.hidden_size + 2 * head + 3 * config.intermediate_size)
        forward = 2.0 * layer * layers * self.tokens
        backward = 2.0 * layer * wanted * self.tokens
        rows = [row.question for row in training_questions(student, self.questions, {"queueing": 1.0}, 0.1)]
        kept = sum(len(pack(rows[b : b + 16]).scored_J) for b in range(0, len(rows), 16))
        vocabulary = 2.0 * 2.0 * config.hidden_size * config.vocab_size * kept  # forward and backward
        return (forward + backward + vocabulary) / len(rows)


def peak(dtype: torch.dtype, seconds: float = 1.0) -> float:
    """Returns the machine's limit in operations per second, by matrix products of a layer's width."""
    left, right = torch.randn(PEAK_ROWS, 576).to(dtype), torch.randn(576, 1536).to(dtype)
    best, until = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        begin = time.perf_counter()
        for _ in range(10):
            torch.mm(left, right)
        best = max(best, 10 * 2.0 * PEAK_ROWS * 576 * 1536 / (time.perf_counter() - begin))
    return best


def row(measure: str, values: Sequence[float] | np.ndarray, target: float | None = None) -> dict:
    return measures.row(measure, geometric(values), "python benchmarks/training.py", target)


def measured(rounds: int, count: int) -> list[dict]:
    """Returns rows of rates and ratios; each round measures all ways, so that load on the machine cancels."""
    config = compose(["task=queueing"])[0]
    trainings = Trainings(config, rows(config, count))
    sizes = (4, 8, 16)
    plain = {size: trainings.trl(size) for size in sizes}
    best = max(plain, key=lambda size: plain[size])
    found: dict[str, list[float]] = {"ours": [], "trl": [], "unpacked": [], "hard": [], "share": []}
    for _ in track(range(rounds), "measuring", console=Console(stderr=True)):
        found["trl"].append(trainings.trl(best))
        found["unpacked"].append(trainings.unpacked(best))
        found["hard"].append(trainings.ours(weights=Weights(1.0, 0.0, 0.0, 1.0)))
        found["ours"].append(trainings.ours())
        found["share"].append(found["ours"][-1] * trainings.arithmetic() / peak(trainings.dtype))
    ours, trl, unpacked, hard, share = (np.array(values) for values in found.values())
    return [
        row("questions a second, ours", ours),
        row(f"questions a second, TRL's SFTTrainer, batches of {best}", trl),
        row("ours against TRL's SFTTrainer", ours / trl, 3.0),
        row("of which head and trainer: a plain loop, answers' positions only", unpacked / trl),
        row("of which packing: ours on hard labels against that loop", hard / unpacked),
        row("of which the rest: soft targets and regret against hard labels", ours / hard),
        row("share of the machine's matrix-multiply limit", share),
    ]


def main() -> None:
    """Measures all ways, prints the table and writes the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer questions and rounds; nothing is written")
    quick = parser.parse_args().quick
    entries = measured(2 if quick else 4, 48 if quick else 96)
    show(entries, None if quick else RESULTS)


if __name__ == "__main__":
    main()
