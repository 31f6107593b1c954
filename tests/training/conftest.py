"""Questions that a method learns from, made without simulating."""

from dataclasses import replace

import pytest

from simdistill.data.kinds.decision import DecisionQuestion
from simdistill.data.kinds.forecast import ForecastQuestion
from simdistill.simulation.situations import Situation
from simdistill.simulators.queueing import Queueing


@pytest.fixture(scope="session")
def shorter_queue() -> list[DecisionQuestion]:
    """Where the shorter queue is better, by twice the error for every second question."""
    found = []
    for number in range(25):
        jobs = [number % 5, 4 - number % 5 if number % 5 != 2 else 3]
        best = int(jobs[1] < jobs[0])
        found.append(
            DecisionQuestion(
                task="queueing",
                simulator="queueing",
                split="train",
                round=0,
                group=number // 8,
                prompt=[
                    {"role": "system", "content": "Answer with the server's letter."},
                    {"role": "user", "content": f"Jobs A {jobs[0]}, B {jobs[1]}."},
                ],
                choices=["A", "B"],
                answer="AB"[best],
                situation=Situation(
                    Queueing.Params(), (0, 0, 0, number), (), 0.0, {"jobs": jobs}, ("A", "B")
                ),
                values=[0.5 * best, 0.5 * (1 - best)],
                standard_errors=[0.1 if number % 2 else 1.0, 0.0],
                raw_values=[0.0, 0.0],
                raw_standard_errors=[0.0, 0.0],
            )
        )
    return found


@pytest.fixture(scope="session")
def outcomes(shorter_queue) -> list[ForecastQuestion]:
    """A forecast in each of the same states, with the prompt, choices and answer of its decision."""
    return [
        ForecastQuestion(
            task=decision.task,
            simulator=decision.simulator,
            split=decision.split,
            round=decision.round,
            group=decision.group,
            prompt=decision.prompt,
            choices=decision.choices,
            answer=decision.answer,
            situation=replace(decision.situation, choices=()),
            probabilities=[0.25, 0.75],
        )
        for decision in shorter_queue
    ]
