"""What a finished run answers: checks what is asked, then asks the student, the teacher and the simulator."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simdistill import registry
from simdistill.data import question as questions
from simdistill.envs.prompts import Prompter
from simdistill.errors import InputError
from simdistill.models.choice_model import Answer, Posed
from simdistill.models.pruning import student_base
from simdistill.models.student import Student
from simdistill.runs.record import Record
from simdistill.serving.aside import Aside, Busy
from simdistill.serving.batches import Batches
from simdistill.serving.states import middle, shape
from simdistill.simulation import PLAN, TEST, Forecast, Policy, Streams
from simdistill.simulation.policies import with_streams
from simdistill.simulation.states import matrix
from simdistill.teachers.protocol import Lesson

BEYOND = 10.0
"""A state with numbers so many times as large as training's isn't simulated: it could take all memory."""
LONGER = 4
"""A situation so many times as long as the longest in training, in words, isn't read."""


@dataclass(frozen=True)
class Limits:
    """What one request, and all of them, may take.

    Attributes:
        body: Bytes of a request.
        states: States of a request.
        waiting: Requests that wait for the student.
        seconds: Longest wait for a body, and for the student.
        futures: Simulated futures of a request.
        simulations: Requests that wait for the simulator.
        simulating: Seconds until the simulator is stopped, those of waiting for it included.
    """

    body: int = 262_144
    states: int = 64
    waiting: int = 64
    seconds: float = 30.0
    futures: int = 512
    simulations: int = 8
    simulating: float = 20.0


class Refused(Exception):
    """A request that isn't answered.

    Attributes:
        status: HTTP status.
        detail: Why, and what would be right.
    """

    def __init__(self, status: int, detail: str | list[str]):
        super().__init__(status, detail)
        self.status, self.detail = status, detail


@dataclass(frozen=True)
class Asked:
    """A live state that was found right.

    Attributes:
        state: As training would have written it.
        choices: Labels to choose from.
        futures: Simulated futures that are asked for; 0 for none.
        outside: Where the state leaves what training showed.
    """

    state: dict
    choices: list[str]
    futures: int
    outside: list[str]


class Service:
    """Answers for live states of a finished run.

    Args:
        run: The run's folder.
        limits: What requests may take.

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
        self.language = Prompter(config.task.language)
        self.teacher = Lesson.load(layout.of_task(config.task.name), config.task.simulator)
        self.heuristic: Policy = registry.policies(config.task.simulator)[config.task.heuristic]
        self.seed = config.seed
        self._learn(questions.load(layout.questions))
        student = Student.load(student_base(config.student), layout.adapter)
        student.goes_on = True
        self.batches = Batches(student, self.limits.waiting)
        self.aside = Aside(run, self.limits.simulating, self.limits.simulations)

    def _learn(self, lessons: Sequence[questions.Question]) -> None:
        """Learns from the training questions what states look like and what can be asked."""
        decisions = [lesson for lesson in lessons if lesson.kind == "decision"]
        states = [json.loads(lesson.state) for lesson in lessons]
        sets = {tuple(lesson.choices) for lesson in decisions}
        self.shape, self.vary = shape(states), len(sets) > 1
        self.labels = list(
            dict.fromkeys(label for choices in sorted(sets, key=len)[::-1] for label in choices)
        )
        self.longest = max(len(lesson.prompt[-1]["content"]) for lesson in decisions)
        numbers_SN = matrix([json.loads(lesson.state) for lesson in decisions])
        self.example = decisions[middle(numbers_SN)]
        asked = {tuple(lesson.choices) for lesson in lessons if lesson.kind == "forecast"}
        known: Sequence[Forecast] = registry.load("simulators", self.task.simulator).forecasts
        self.forecasts = {n: forecast for n, forecast in enumerate(known) if tuple(forecast.labels) in asked}

    def close(self) -> None:
        """Ends the simulator's process and the student's thread."""
        self.aside.close()
        self.batches.close()

    @property
    def schema(self) -> dict:
        """JSON Schema of a state; what isn't a keyword of it, as `training`, is a remark."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"A state of {self.task.name}",
            "description": self.task.description,
            **self.shape.schema(),
            "examples": [json.loads(self.example.state)],
            "task": self.task.name,
            "choices": {"labels": self.labels, "vary": self.vary, "example": self.example.choices},
            "forecasts": [forecast.question for forecast in self.forecasts.values()],
        }

    def health(self) -> dict:
        """Returns whether it can answer, and how much it has answered."""
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
            body: One request, `{"state", "choices", "what_if"}`, or a list of them.

        Raises:
            Refused: If something in it is wrong, or too much is asked for.
        """
        asked = self._read(body)
        answers = await self._student([self._posed(one) for one in asked])
        told = [self._decision(one, answer) for one, answer in zip(asked, answers, strict=True)]
        if asked[0].futures:
            told[0]["simulator"] = await self._simulator("costs", asked[0], asked[0].choices)
        return told if isinstance(body, list) else told[0]

    async def forecast(self, body: Any) -> dict | list[dict]:
        """Answers `POST /forecast`; the arguments are those of `decide`."""
        if not self.forecasts:
            raise Refused(404, f"this student wasn't taught to forecast; {self.task.name} asks for none")
        asked = self._read(body)
        posed = [self._posed(one, forecast) for one in asked for forecast in self.forecasts.values()]
        answers = await self._student(posed)
        told = []
        for one in asked:
            own, answers = answers[: len(self.forecasts)], answers[len(self.forecasts) :]
            told.append({"forecasts": self._forecasts(own), "outside_training": one.outside})
        if asked[0].futures:
            simulator = await self._simulator("forecasts", asked[0])
            found = simulator.pop("probabilities", None)
            told[0]["simulator"] = simulator
            for number, entry in zip(self.forecasts, told[0]["forecasts"], strict=True):
                probabilities = None if found is None else found[number]
                entry["simulator"] = probabilities and _named(entry["student"], probabilities)
        return told if isinstance(body, list) else told[0]

    # What is asked.

    def _read(self, body: Any) -> list[Asked]:
        requests = body if isinstance(body, list) else [body]
        most = self.limits.states
        if not 1 <= len(requests) <= most:
            raise Refused(422, f"{len(requests)} states; one request takes 1 to {most}")
        wrong: list[str] = []
        asked = []
        for number, request in enumerate(requests):
            found: list[str] = []
            asked.append(self._asked(request, found, alone=not isinstance(body, list)))
            where = f"[{number}] " if isinstance(body, list) else ""
            wrong += [where + reason for reason in found]
        if wrong:
            raise Refused(422, wrong)
        return asked

    def _asked(self, request: Any, wrong: list[str], alone: bool) -> Asked:
        if not isinstance(request, dict) or not isinstance(request.get("state"), dict):
            wrong.append('a request is an object with a "state", as in {"state": {…}}; see GET /schema')
            return Asked({}, [], 0, [])
        for name in request.keys() - {"state", "choices", "what_if"}:
            wrong.append(f"{name}: unknown; known: state, choices, what_if")
        state = self.shape.read(request["state"], "", wrong)
        choices = self._choices(request.get("choices"), wrong)
        futures = request.get("what_if", 0)
        if type(futures) is not int or not 0 <= futures <= self.limits.futures or futures in range(1, 4):
            wrong.append(f"what_if = {futures!r}: must be a number of futures, 4 to {self.limits.futures}")
        elif futures and not alone:
            wrong.append("what_if: is answered for one state at a time, not in a list")
        return Asked(state, choices, futures, [] if wrong else list(self.shape.outside(state)))

    def _choices(self, choices: Any, wrong: list[str]) -> Any:
        if choices is None and not self.vary:
            return self.labels
        known = ", ".join(self.labels)
        if choices is None:
            wrong.append(f"choices: missing; they depend on the state here; known: {known}")
        elif not isinstance(choices, list) or not choices:
            wrong.append(f"choices = {str(choices)[:60]!r}: must be a list of the legal ones; known: {known}")
        elif unknown := [choice for choice in choices if choice not in self.labels]:
            wrong.append(f"choices: {str(unknown[0])[:60]!r} is unknown; known: {known}")
        elif len(set(choices)) < len(choices):
            wrong.append(f"choices = {choices}: must be different")
        return choices

    def _posed(self, asked: Asked, forecast: Forecast | None = None) -> Posed:
        try:
            prompt = self.language.decision(asked.state)
        except InputError as error:
            raise Refused(422, f"the state can't be put in words: {error}") from None
        length, most = len(prompt[-1]["content"]), LONGER * self.longest
        if length > most:
            raise Refused(422, f"the situation has {length} characters in words; at most {most} are read")
        if forecast is None:
            return Posed(prompt, asked.choices)
        return Posed(self.language.forecast(asked.state, forecast.question, forecast.labels), forecast.labels)

    # What is answered.

    async def _student(self, posed: Sequence[Posed]) -> list[Answer]:
        try:
            return await self.batches.ask(posed, self.limits.seconds)
        except Busy as error:
            raise Refused(503, str(error)) from None
        except TimeoutError:
            raise Refused(504, f"no answer within {self.limits.seconds:g} seconds") from None

    async def _simulator(self, kind: str, asked: Asked, *more: Any) -> dict:
        if self.shape.beyond(asked.state, BEYOND):
            return {"why_not": f"numbers over {BEYOND:g} times training's aren't simulated"}
        try:
            return await getattr(self.aside, kind)(asked.state, *more, asked.futures)
        except Busy as error:
            return {"why_not": str(error)}

    def _decision(self, asked: Asked, answer: Answer) -> dict:
        choices = asked.choices
        return {
            "choice": choices[answer.choice],
            "probabilities": dict(zip(choices, answer.probabilities_C.tolist(), strict=True)),
            "valid": answer.greedy is not None,
            "unconstrained": None if answer.greedy is None else choices[answer.greedy],
            "mass": answer.mass,
            "teacher": {**self._chosen(self.teacher.policy, asked), **self._fitted(asked)},
            "heuristic": {"name": self.task.heuristic, **self._chosen(self.heuristic, asked)},
            "situation": self.language.situation(asked.state),
            "outside_training": asked.outside,
        }

    def _chosen(self, policy: Policy, asked: Asked) -> dict:
        try:
            own = with_streams(policy, Streams((self.seed, TEST, PLAN)))
            return {"choice": own(asked.state, asked.choices)}
        except Exception as error:  # a policy of the task's author, in a state that nobody tried it in
            return {"choice": None, "why_not": f"{type(error).__name__}: {error}"}

    def _fitted(self, asked: Asked) -> dict:
        """Returns the fitted cost of each choice beyond the best one; null where the search tells nothing."""
        network, unknown = self.teacher.regression.network, dict.fromkeys(asked.choices)
        if not network.knows(asked.state):
            return {"costs": unknown, "standard_errors": unknown}
        found = dict(zip(network.labels, network.costs([asked.state])[0].tolist(), strict=True))
        met = [choice for choice in asked.choices if choice in found]
        if not met:
            return {"costs": unknown, "standard_errors": unknown}
        best = min(met, key=found.__getitem__)
        costs = {c: found[c] - found[best] if c in found else None for c in asked.choices}
        if self.teacher.regression.spread is None:
            return {"costs": costs, "standard_errors": unknown}
        constant, share = self.teacher.regression.spread
        # As for the labels of training: the sum covers errors that are opposite.
        error = {choice: (constant + share * found[choice] ** 2) ** 0.5 for choice in met}
        errors = {choice: 0.0 if choice == best else error[choice] + error[best] for choice in met}
        return {
            "costs": costs,
            "standard_errors": {c: errors.get(c) for c in asked.choices},
        }

    def _forecasts(self, answers: Sequence[Answer]) -> list[dict]:
        return [
            {
                "question": forecast.question,
                "student": _named(forecast.labels, answer.probabilities_C.tolist()),
                "valid": answer.greedy is not None,
                "mass": answer.mass,
            }
            for forecast, answer in zip(self.forecasts.values(), answers, strict=True)
        ]


def _named(labels: Any, probabilities: Sequence[float]) -> dict[str, float]:
    return dict(zip(labels, probabilities, strict=True))
