"""Answers questions from a finished run, with its student, its teacher and its simulator."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simdistill import registry
from simdistill.data.store import load
from simdistill.envs.prompts import Prompter
from simdistill.errors import InputError
from simdistill.models.choice_model import Answer, Posed
from simdistill.models.pruning import student_base
from simdistill.models.student import Student
from simdistill.runs.record import Record
from simdistill.serving.batches import Batches
from simdistill.serving.fitted import fitted_costs
from simdistill.serving.requests import Limits, LiveState, Refused, read_requests
from simdistill.serving.simulator_process import Busy, SimulatorProcess
from simdistill.serving.taught import Taught
from simdistill.simulation import PLAN, TEST, Forecast, Policy, Streams
from simdistill.simulation.policies import with_streams
from simdistill.teachers.protocol import Lesson

BEYOND = 10.0
"""Factor of the largest number in training beyond which a state isn't simulated; it could use all memory."""
LONGER = 4
"""Factor of the longest situation in training beyond which a situation is refused."""


class Service:
    """Answers questions about live states from a finished run.

    Args:
        run: Folder of the run.
        limits: Limits of the requests; None for the defaults.

    Raises:
        InputError: If the run isn't finished.
    """

    def __init__(self, run: Path, limits: Limits | None = None):
        record = Record.of(run)
        config, layout = record.config, record.layout
        if not layout.adapter.is_dir():
            resume = shlex.quote(f"resume={run}")
            raise InputError(f"{run} has no student yet; finish it with: simdistill run {resume}")
        self.run, self.task, self.limits = run, config.task, limits or Limits()
        self.prompts = Prompter(config.task.language)
        self.teacher = Lesson.load(layout.of_task(config.task.name), config.task.simulator)
        self.heuristic: Policy = registry.policies(config.task.simulator)[config.task.heuristic]
        self.seed = config.seed
        self.taught = Taught.of(load(layout.questions), config.task.simulator)
        student = Student.load(student_base(config.student), layout.adapter)
        student.goes_on = True
        self.batches = Batches(student, self.limits.waiting)
        self.simulator = SimulatorProcess(run, self.limits.simulating, self.limits.simulations)

    def close(self) -> None:
        """Stops the simulator's process and the student's thread."""
        self.simulator.close()
        self.batches.close()

    def health(self) -> dict:
        """Returns the student's status, and numbers of answered questions, passes and waiting requests."""
        return {
            "status": "ok" if self.batches.alive else "the student's thread has ended",
            "task": self.task.name,
            "run": self.run.name,
            "questions": self.batches.questions,
            "passes": self.batches.passes,
            "waiting": self.batches.waiting,
        }

    async def decide(self, body: Any) -> dict | list[dict]:
        """Answers `POST /decide`.

        Args:
            body: One request, `{"state", "choices", "what_if"}`, or a list of such requests.

        Returns:
            The decision for the request, or a list of decisions.

        Raises:
            Refused: If the body has mistakes, or exceeds a limit.
        """
        states = read_requests(body, self.taught, self.limits)
        answers = await self._student([self._posed(live) for live in states])
        decisions = [self._decision(live, answer) for live, answer in zip(states, answers, strict=True)]
        if (first := states[0]).futures:
            decisions[0]["simulator"] = await self._simulator("costs", first, first.choices)
        return decisions if isinstance(body, list) else decisions[0]

    async def forecast(self, body: Any) -> dict | list[dict]:
        """Answers `POST /forecast`; requests have the same form as those of `decide`."""
        if not self.taught.forecasts:
            raise Refused(404, f"this student wasn't taught to forecast on the task {self.task.name}")
        states, forecasts = read_requests(body, self.taught, self.limits), self.taught.forecasts
        posed = [self._posed(live, forecast) for live in states for forecast in forecasts.values()]
        answers = iter(await self._student(posed))
        replies = [
            {
                "forecasts": [_forecast(one, next(answers)) for one in forecasts.values()],
                "outside_training": live.outside,
            }
            for live in states
        ]
        if states[0].futures:
            simulator = await self._simulator("forecasts", states[0])
            found = simulator.pop("probabilities", None)
            replies[0]["simulator"] = simulator
            for number, entry in zip(forecasts, replies[0]["forecasts"], strict=True):
                probabilities = None if found is None else found[number]
                entry["simulator"] = probabilities and _named(entry["student"], probabilities)
        return replies if isinstance(body, list) else replies[0]

    def _posed(self, live: LiveState, forecast: Forecast | None = None) -> Posed:
        try:
            prompt = self.prompts.decision(live.state)
        except InputError as error:
            raise Refused(422, f"the task's templates can't describe the state: {error}") from None
        length, most = len(prompt[-1]["content"]), LONGER * self.taught.longest
        if length > most:
            raise Refused(422, f"the situation's text has {length} characters; at most {most} are allowed")
        if forecast is None:
            return Posed(prompt, live.choices)
        return Posed(self.prompts.forecast(live.state, forecast.question, forecast.labels), forecast.labels)

    async def _student(self, posed: Sequence[Posed]) -> list[Answer]:
        try:
            return await self.batches.ask(posed, self.limits.seconds)
        except Busy as error:
            raise Refused(503, str(error)) from None
        except TimeoutError:
            raise Refused(504, f"no answer within {self.limits.seconds:g} seconds") from None

    async def _simulator(self, kind: str, live: LiveState, *more: Any) -> dict:
        if self.taught.states.beyond(live.state, BEYOND):
            return {"why_not": f"a number is over {BEYOND:g} times training's; such states aren't simulated"}
        try:
            return await getattr(self.simulator, kind)(live.state, *more, live.futures)
        except Busy as error:
            return {"why_not": str(error)}

    def _decision(self, live: LiveState, answer: Answer) -> dict:
        choices = live.choices
        return {
            "choice": choices[answer.choice],
            "probabilities": dict(zip(choices, answer.probabilities_C.tolist(), strict=True)),
            "valid": answer.greedy is not None,
            "unconstrained": None if answer.greedy is None else choices[answer.greedy],
            "mass": answer.mass,
            "teacher": {
                **self._chosen(self.teacher.policy, live),
                **fitted_costs(self.teacher.regression, live.state, choices),
            },
            "heuristic": {"name": self.task.heuristic, **self._chosen(self.heuristic, live)},
            "situation": self.prompts.situation(live.state),
            "outside_training": live.outside,
        }

    def _chosen(self, policy: Policy, live: LiveState) -> dict:
        try:
            own = with_streams(policy, Streams((self.seed, TEST, PLAN)))
            return {"choice": own(live.state, live.choices)}
        except Exception as error:  # a policy of the task's author may raise anything in an unforeseen state
            return {"choice": None, "why_not": f"{type(error).__name__}: {error}"}


def _forecast(forecast: Forecast, answer: Answer) -> dict:
    return {
        "question": forecast.question,
        "student": _named(forecast.labels, answer.probabilities_C.tolist()),
        "valid": answer.greedy is not None,
        "mass": answer.mass,
    }


def _named(labels: Any, probabilities: Sequence[float]) -> dict[str, float]:
    return dict(zip(labels, probabilities, strict=True))
