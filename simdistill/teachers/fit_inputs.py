"""What of a state a fit is given: its numbers, and of texts and lists what differed in training.

Axes: S states, F features, N features that are given.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simdistill.errors import InputError
from simdistill.simulation.forms import Encoding
from simdistill.simulation.forms.form import Fields
from simdistill.simulation.states import State, matrix, numbers


@dataclass(frozen=True)
class NumberInputs:
    """The numbers of states that hold nothing else.

    Attributes:
        count: How many there are.
    """

    count: int

    def matrix(self, states: Sequence[State]) -> tuple[np.ndarray, None]:
        """Returns the numbers of states (S, N)."""
        return matrix(states), None

    def knows(self, state: State) -> bool:
        """Whether a state has as many numbers."""
        return len(numbers(state)) == self.count


@dataclass(frozen=True)
class FitInputs:
    """Features of states that hold texts, missing values or lists of varying length, too.

    A feature that was the same in all states of training is left out, unless it is a number that every state
    has: networks learn nothing from it. A state in which it differs isn't known: a text that was never seen,
    a value that was never missing.

    Attributes:
        encoding: Turns states into features.
        given_F: Which of them the networks are given.
        constant_F: The features of a state of training, for those that were all the same.
    """

    encoding: Encoding
    given_F: np.ndarray
    constant_F: np.ndarray

    @classmethod
    def of(cls, states: Sequence[State], observes: type | None = None) -> "FitInputs":
        """Returns what a fit on these states is given; rare texts are taken together as others.

        Args:
            states: Of training.
            observes: What the simulator declares of them.
        """
        encoding = Encoding.of(states, observes, pool=True)
        values_SF = encoding.matrix(states)
        always_F = np.array([column.kind == "number" for column in encoding.columns], dtype=bool)
        return cls(encoding, always_F | (values_SF != values_SF[0]).any(axis=0), values_SF[0])

    def matrix(self, states: Sequence[State]) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns the features that are given (S, N), and which of them are 0 or 1 (N), None if none is."""
        flag_N = self.encoding.flags()[self.given_F]
        given_SN = np.ascontiguousarray(self.encoding.matrix(states)[:, self.given_F])
        return given_SN, flag_N if flag_N.any() else None

    def knows(self, state: State) -> bool:
        """Whether a state has the form of those of training, and differs only in what differed there."""
        try:
            values_F = np.array(self.encoding.row(state))
        except InputError:
            return False
        return bool(np.all(self.given_F | (values_F == self.constant_F)))

    def as_json(self) -> dict:
        """Returns the inputs as a JSON value."""
        return {
            "form": self.encoding.form.model_dump(mode="json"),
            "given": self.given_F.tolist(),
            "constant": self.constant_F.tolist(),
        }

    @classmethod
    def from_json(cls, plain: dict) -> "FitInputs":
        """Returns the inputs of a JSON value."""
        return cls(
            Encoding(Fields.model_validate(plain["form"])),
            np.array(plain["given"], dtype=bool),
            np.array(plain["constant"], dtype=float),
        )
