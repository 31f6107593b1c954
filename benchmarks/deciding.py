"""Decisions per second: simdistill's scoring against `model.generate`, on one machine, with the same states.

    python benchmarks/deciding.py          # five minutes on two cores
    python benchmarks/deciding.py --quick  # one

Prints a table and writes `benchmarks/results/deciding.json`: a list of `measure`, `value`, `ci95`, `target`,
`bound` (`at_least` or `at_most`) and `command`.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import measures
import numpy as np
import torch
from measures import geometric, show
from rich.console import Console
from rich.progress import track

from simdistill import registry
from simdistill.config import compose
from simdistill.envs.prompts import Prompter
from simdistill.envs.scenarios import examination_sets
from simdistill.models.choice_model import Posed
from simdistill.models.student import Student
from simdistill.simulation import EPISODE, TEST
from simdistill.simulation.situations import Episode

RESULTS = Path(__file__).parent / "results" / "deciding.json"
CHOICES = ("A", "B")


def states(count: int, episodes: int = 8) -> list[list[dict]]:
    """Returns the first `count` observed states of each episode; each episode has its own parameters."""
    task = compose(["task=queueing"])[0].task
    simulator = registry.load("simulators", task.simulator)
    decide = registry.policies(task.simulator)[task.heuristic]
    found = []
    for number, params in enumerate(
        examination_sets(simulator, task.parameters, 0, episodes)["in_distribution"]
    ):
        episode, observed = Episode(simulator(params, (0, TEST, EPISODE, number))), []
        while len(observed) < count and (situation := episode.advance()) is not None:
            observed.append(situation.state)
            episode.answer(decide(situation.state, situation.choices))
        found.append(observed)
    return found


def spread(observed: Sequence[dict], count: int) -> list[dict]:
    """Returns `count` of the states, evenly spaced, so that all episodes are represented."""
    return [observed[place] for place in np.linspace(0, len(observed) - 1, count).round().astype(int)]


class Deciders:
    """Several ways of computing the same student's decisions.

    Args:
        student: The student, in evaluation mode.
        language: Prompter that describes the task's states.
    """

    def __init__(self, student: Student, language: Prompter):
        self.student, self.language = student, language
        self.student.tokenizer.padding_side = "left"

    def ours(self, observed: Sequence[dict]) -> None:
        """Scores all states at once, without cached answers."""
        self.student.forget()
        self.scored(observed)

    def playing(self, observed: Sequence[dict], episodes: int = 8) -> None:
        """Scores states as in parallel episodes, one state of each at a time; repeated prompts are cached.

        Args:
            observed: States, ordered by step and then by episode.
            episodes: Number of parallel episodes.
        """
        self.student.forget()
        for begin in range(0, len(observed), episodes):
            self.scored(observed[begin : begin + episodes])

    def scored(self, observed: Sequence[dict]) -> None:
        self.student.score([Posed(self.language.decision(state), list(CHOICES)) for state in observed])

    def generating(self, observed: Sequence[dict], batch_size: int) -> None:
        """Generates answers greedily, with two new tokens: the answer and the end of the turn."""
        tokenizer, model = self.student.tokenizer, self.student.model
        for begin in range(0, len(observed), batch_size):
            prompts = [
                str(
                    tokenizer.apply_chat_template(
                        self.language.decision(state), tokenize=False, add_generation_prompt=True
                    )
                )
                for state in observed[begin : begin + batch_size]
            ]
            inputs = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
            with torch.inference_mode():
                tokens = model.generate(**inputs, max_new_tokens=2, do_sample=False)  # type: ignore[operator]
            tokenizer.batch_decode(tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def per_second(decide: Callable[[Sequence[dict]], None], observed: Sequence[dict]) -> float:
    begin = time.perf_counter()
    decide(observed)
    return len(observed) / (time.perf_counter() - begin)


def row(measure: str, values: Sequence[float] | np.ndarray, target: float | None = None) -> dict:
    return measures.row(measure, geometric(values), "python benchmarks/deciding.py", target)


def measured(rounds: int, scale: float) -> list[dict]:
    """Returns rows of rates and ratios; each round measures all ways, so that load on the machine cancels."""
    student = Student.load("smollm2-135m")
    deciders = Deciders(student, Prompter(compose(["task=queueing"])[0].task.language))
    many = states(int(60 * scale))
    distinct = [state for observed in many for state in {str(s): s for s in observed}.values()]
    played = [state for step in zip(*states(int(200 * scale)), strict=True) for state in step]
    few, some = (spread(distinct, max(least, int(count * scale))) for least, count in ((6, 24), (32, 96)))
    rates: dict[str, list[float]] = {}
    for _ in track(range(rounds), "measuring", console=Console(stderr=True)):
        for name, rate in (
            ("ours", per_second(deciders.ours, distinct)),
            ("playing", per_second(deciders.playing, played)),
            ("generate", per_second(lambda observed: deciders.generating(observed, 1), few)),
            (
                "generate, batches of 32",
                per_second(lambda observed: deciders.generating(observed, 32), some),
            ),
        ):
            rates.setdefault(name, []).append(rate)
    ours, playing, single, batches = (np.array(found) for found in rates.values())
    return [
        row("decisions a second, every state new", ours),
        row("decisions a second, eight episodes played in step, prompts remembered", playing),
        row("decisions for each distinct state in them", [len(played) / len({str(s) for s in played})]),
        row("decisions a second, generate one at a time", single),
        row("decisions a second, generate in batches of 32", batches),
        row("ours with remembering against generate one at a time", playing / single, 20.0),
        row("ours without remembering against generate one at a time", ours / single),
        row("ours without remembering against generate in batches of 32", ours / batches, 4.0),
    ]


def main() -> None:
    """Measures all ways, prints the table and writes the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer states and rounds; nothing is written")
    quick = parser.parse_args().quick
    rows = measured(2 if quick else 5, 0.25 if quick else 1.0)
    show(rows, None if quick else RESULTS)


if __name__ == "__main__":
    main()
