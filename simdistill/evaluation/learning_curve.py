"""The learning curve of a run: the student's regret on validation questions against the training effort.

Regret is the mean over validation questions of the cost of the choice taken above that of the best choice, by
the simulator's values, in cost units. Axes: Q questions.
"""

from pathlib import Path

import numpy as np

from simdistill import registry
from simdistill.config import RunConfig
from simdistill.data import store as questions
from simdistill.evaluation.run_files import RunFiles
from simdistill.files import read_lines
from simdistill.results import Learning, LearningPoint, renamed_row
from simdistill.simulation import PLAN, VALIDATION, Streams
from simdistill.simulation.policies import with_streams


def history(folder: Path) -> list[dict]:
    """Returns the rows of a run's `metrics.jsonl`, with their present field names; none before training."""
    path = folder / "metrics.jsonl"
    return [renamed_row(row) for row in read_lines(path)] if path.exists() else []


def learning(config: RunConfig, files: RunFiles) -> Learning:
    """Returns the learning curve of a run's training so far.

    Args:
        config: The run's configuration.
        files: Paths of the run's files.
    """
    timed = files.training / "clock.jsonl"
    seconds = {row["step"]: row["seconds"] for row in read_lines(timed)} if timed.exists() else {}
    points = [
        LearningPoint(
            questions=row["questions"],
            tokens=row["tokens"],
            seconds=seconds[row["step"]],
            validation_regret=row["validation_regret"],
            validation_agreement=row["validation_agreement"],
        )
        for row in history(files.folder)
        if "validation_regret" in row
    ]
    return Learning(points=points, heuristic=heuristic_regret(config, files))


def heuristic_regret(config: RunConfig, files: RunFiles) -> float:
    """Returns the regret of the task's heuristic on a run's validation questions."""
    policy = registry.policies(config.task.simulator)[config.task.heuristic]
    policy = with_streams(policy, Streams((config.seed, VALIDATION, PLAN)))
    held_out = questions.load(files.validation)[: config.distill.validation_questions]
    chosen_Q = [q.choices.index(policy(q.situation.state, q.choices)) for q in held_out]
    return float(np.mean([q.costs_C[choice] for q, choice in zip(held_out, chosen_Q, strict=True)]))
