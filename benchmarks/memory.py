"""Peak memory of training by batch size and length of prompts; a separate process measures each combination.

    python benchmarks/memory.py          # three minutes on two cores
    python benchmarks/memory.py --quick  # one

Prints a table and writes `benchmarks/results/memory.json`: a list of `measure`, `value` (in MB), `ci95`
(none), `target`, `bound` and `command`.
"""

import argparse
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import measures
from measures import show
from rich.console import Console
from rich.progress import track
from training import Trainings, rows

from simdistill.config import compose
from simdistill.data.question import Question
from simdistill.runs.environment import peak_memory_mb
from simdistill.training.trainers.batch import training_questions
from simdistill.training.trainers.exact import train_round
from simdistill.training.weights import Weights

RESULTS = Path(__file__).parent / "results" / "memory.json"
BATCHES, LENGTHS, STEPS = (8, 16, 32, 64), (1, 2, 4), 3


def longer(question: Question, times: int) -> Question:
    """Returns the question with its situation repeated `times` times."""
    system, user = question.prompt
    return replace(question, prompt=[system, {**user, "content": "\n".join([user["content"]] * times)}])


def train(batch_size: int, times: int) -> float:
    """Trains a few steps in this process; returns the process's peak memory in MB."""
    config = compose(["task=queueing"])[0]
    questions = [longer(question, times) for question in rows(config, STEPS * batch_size)]
    training = Trainings(config, questions)
    student = training.student()
    with tempfile.TemporaryDirectory() as folder:
        train_round(
            student.model,
            student.tokenizer,
            training_questions(student, questions, {config.task.name: config.task.scale}, 0.1),
            training.schedule(folder, batch_size),
            Weights(1.0, 1.0, 1.0, 1.0),
        )
    return peak_memory_mb()


def measured(batch_size: int, times: int) -> float:
    command = [sys.executable, __file__, "--cell", str(batch_size), str(times)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    """Measures all combinations, prints the table and writes the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="three cells; nothing is written")
    parser.add_argument("--cell", type=int, nargs=2, metavar=("BATCH", "TIMES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cell:
        print(train(*arguments.cell))
        return
    cells = [(batch, 1) for batch in BATCHES] + [(16, times) for times in LENGTHS[1:]]
    if arguments.quick:
        cells = cells[:2] + cells[-1:]
    found = [
        measures.row(
            f"peak MB, {batch} questions in a batch, situation told {times} times",
            (measured(batch, times), None),
            "python benchmarks/memory.py",
        )
        for batch, times in track(cells, "measuring", console=Console(stderr=True))
    ]
    show(found, None if arguments.quick else RESULTS)


if __name__ == "__main__":
    main()
