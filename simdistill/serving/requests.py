"""Reads and checks requests before any of their states is answered."""

from dataclasses import dataclass
from typing import Any

from simdistill.serving.taught import Taught

FEWEST_FUTURES = 4
"""Smallest number of simulated futures; with fewer, standard errors would be useless."""


@dataclass(frozen=True)
class Limits:
    """Limits of a single request and of the number of waiting requests.

    Attributes:
        body: Largest number of bytes of a request's body.
        states: Largest number of states of a request.
        waiting: Largest number of requests that wait for the student.
        seconds: Longest time in seconds to wait for a request's body, and for the student's answer.
        futures: Largest number of simulated futures of a request.
        simulations: Largest number of requests that wait for the simulator.
        simulating: Longest time in seconds for a simulation, including the wait for its turn.
    """

    body: int = 262_144
    states: int = 64
    waiting: int = 64
    seconds: float = 30.0
    futures: int = 512
    simulations: int = 8
    simulating: float = 20.0


class Refused(Exception):
    """A request that is refused.

    Attributes:
        status: HTTP status code.
        detail: Why the request is refused and what would be accepted; a list has one line for each mistake.
    """

    def __init__(self, status: int, detail: str | list[str]):
        super().__init__(status, detail)
        self.status, self.detail = status, detail


@dataclass(frozen=True)
class LiveState:
    """A state of a request that passed the checks.

    Attributes:
        state: The state, with numbers and fields written as in the training questions.
        choices: Labels of the legal choices.
        futures: Number of simulated futures that the request asks for; 0 for no simulation.
        outside: A line for each part of the state that lies outside the training data.
    """

    state: dict
    choices: list[str]
    futures: int
    outside: list[str]


def read_requests(body: Any, taught: Taught, limits: Limits) -> list[LiveState]:
    """Reads the states of a request body.

    Args:
        body: One request, `{"state", "choices", "what_if"}`, or a list of such requests.
        taught: States, choices and forecasts of the training questions.
        limits: Limits of a request.

    Raises:
        Refused: If there are too many states, or mistakes in them; the detail has a line for each mistake.
    """
    requests = body if isinstance(body, list) else [body]
    if not 1 <= len(requests) <= limits.states:
        raise Refused(422, f"{len(requests)} states; one request takes 1 to {limits.states}")
    alone = not isinstance(body, list)
    found = [_read(request, taught, limits, alone) for request in requests]
    wrong = [
        line if alone else f"[{number}] {line}" for number, (_, lines) in enumerate(found) for line in lines
    ]
    if wrong:
        raise Refused(422, wrong)
    return [live for live, _ in found]


def _read(request: Any, taught: Taught, limits: Limits, alone: bool) -> tuple[LiveState, list[str]]:
    """Returns the state of a request, and a line for each mistake in the request."""
    if not isinstance(request, dict) or not isinstance(request.get("state"), dict):
        line = 'a request is an object with a "state", as in {"state": {…}}; see GET /schema'
        return LiveState({}, [], 0, []), [line]
    unknown = request.keys() - {"state", "choices", "what_if"}
    wrong = [f"{name}: unknown; known: state, choices, what_if" for name in unknown]
    state, wrong_in_state = taught.states.read(request["state"])
    choices, futures = request.get("choices"), request.get("what_if", 0)
    wrong += wrong_in_state + _wrong_choices(choices, taught) + _wrong_futures(futures, limits, alone)
    if choices is None:
        choices = taught.labels
    return LiveState(state, choices, futures, [] if wrong else taught.states.outside(state)), wrong


def _wrong_choices(choices: Any, taught: Taught) -> list[str]:
    known = ", ".join(taught.labels)
    if choices is None:
        return (
            [f"choices: missing; required, as they depend on the state; known: {known}"]
            if taught.vary
            else []
        )
    if not isinstance(choices, list) or not choices:
        return [f"choices = {str(choices)[:60]!r}: must be a list of the legal choices; known: {known}"]
    if unknown := [choice for choice in choices if choice not in taught.labels]:
        return [f"choices: {str(unknown[0])[:60]!r} is unknown; known: {known}"]
    return [f"choices = {choices}: must not repeat a choice"] if len(set(choices)) < len(choices) else []


def _wrong_futures(futures: Any, limits: Limits, alone: bool) -> list[str]:
    if type(futures) is not int or not 0 <= futures <= limits.futures or futures in range(1, FEWEST_FUTURES):
        numbers = f"{FEWEST_FUTURES} to {limits.futures}"
        return [f"what_if = {futures!r}: must be a number of futures, {numbers}"]
    return ["what_if: not allowed in a list; send one state at a time"] if futures and not alone else []
