"""Questions that a method learns from, made without simulating."""

import json

import pytest

from simdistill.data.question import Question


@pytest.fixture(scope="session")
def shorter_queue() -> list[Question]:
    """Where the shorter queue is better, by twice the error for every second question."""
    found = []
    for number in range(25):
        jobs = [number % 5, 4 - number % 5 if number % 5 != 2 else 3]
        best = int(jobs[1] < jobs[0])
        found.append(
            Question(
                kind="decision",
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
                values=[0.5 * best, 0.5 * (1 - best)],
                standard_errors=[0.1 if number % 2 else 1.0, 0.0],
                raw_values=[0.0, 0.0],
                raw_standard_errors=[0.0, 0.0],
                probabilities=None,
                params="{}",
                state=json.dumps({"jobs": jobs}),
                seed_path=[0, 0, 0, number],
                actions=[],
                time=0.0,
            )
        )
    return found
