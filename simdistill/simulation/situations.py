"""Situations: decisions that can be brought about again; and episodes, which come to them one by one."""

import math
from dataclasses import dataclass

from simdistill.simulation.decisions import Decision
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.parameters import Parameters
from simdistill.simulation.streams import SeedPath


@dataclass(frozen=True)
class Situation:
    """A decision that can be brought about again.

    Attributes:
        params: The process's parameters.
        path: Seed path of the episode.
        actions: Answers before this decision.
        time: Simulated time.
        state: What the decider observes.
        choices: Labels of the legal choices.
    """

    params: Parameters
    path: SeedPath
    actions: tuple[str, ...]
    time: float
    state: dict
    choices: tuple[str, ...]


class Episode:
    """A process in play: it comes to a decision, takes the answer, and goes on.

        episode = Episode(Clinic({"doctors": 2}, (seed, TRAIN, EPISODE, 0)))
        while (situation := episode.advance()) is not None:
            episode.answer(policy(situation.state, situation.choices))

    Args:
        model: At its beginning.

    Attributes:
        model: The process.
        decision: The decision that waits for an answer; None before the first and after the last one.
    """

    def __init__(self, model: ProcessModel):
        self.model = model
        self.decision: Decision | None = None
        self._actions: list[str] = []

    @property
    def actions(self) -> tuple[str, ...]:
        """The answers so far."""
        return tuple(self._actions)

    @property
    def question(self) -> str:
        """The question that waits for an answer, in words."""
        return self.decision.question if self.decision is not None else ""

    def advance(self, until: float = math.inf) -> Situation | None:
        """Runs the process up to its next decision.

        Args:
            until: Simulated time at which to stop all the same.

        Returns:
            The situation, whose state is JSON; None when the process has ended or `until` is reached.

        Raises:
            ProcessError: If the process fails, or shows a state that isn't JSON.
        """
        return None if self.proceed(until) is None else self.situation

    def proceed(self, until: float = math.inf) -> Decision | None:
        """Does what `advance` does without observing the state, for loops that count microseconds."""
        self.decision = self.model.advance(until)
        return self.decision

    @property
    def situation(self) -> Situation:
        """The situation at the decision that waits for an answer."""
        if self.decision is None:
            raise ValueError("no decision is waiting for an answer")
        model = self.model
        state, choices = model.state(self.decision), tuple(self.decision.labels)
        return Situation(model.params, model.seed_path, self.actions, model.env.now, state, choices)

    def answer(self, label: str) -> None:
        """Answers the decision; an illegal answer is replaced by the simulator's fallback."""
        self._actions.append(label)
        self.model.answer(label)
