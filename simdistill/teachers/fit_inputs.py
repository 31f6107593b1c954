"""Inputs of the fitted networks: the features of a state that they get.

They get the numbers of a state, and those features of its texts and lists that differ between the states of
the fit. Axes: S states, F features of a state, N features that the networks get.
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
    """Inputs of networks for states that consist of numbers alone.

    Attributes:
        count: Number of numbers in a state.
    """

    count: int

    def matrix(self, states: Sequence[State]) -> tuple[np.ndarray, None]:
        """Returns the numbers of states (S, N), and None, as there are no flags."""
        return matrix(states), None

    def knows(self, state: State) -> bool:
        """Returns whether a state has as many numbers as the states of the fit."""
        return len(numbers(state)) == self.count


@dataclass(frozen=True)
class FitInputs:
    """Inputs of networks for states that also hold texts, missing values or lists of varying length.

    The networks don't get features that are the same in all states of the fit, as they could learn nothing
    from them; numbers that every state has are always inputs. A state with another value of a feature that
    isn't an input is one that the networks don't know: it has a text that no state of the fit had, for
    example, or lacks a value that none of them lacked.

    Attributes:
        encoding: The encoding of states as features.
        given_F: Whether the networks get each feature.
        constant_F: The features of one state of the fit. Features that aren't inputs have these values in all
            states of the fit.
    """

    encoding: Encoding
    given_F: np.ndarray
    constant_F: np.ndarray

    @classmethod
    def of(cls, states: Sequence[State], observes: type | None = None) -> "FitInputs":
        """Returns the inputs of networks that are fitted to some states; their rare texts share a feature.

        Args:
            states: The states of the fit.
            observes: Type by which the simulator declares its states (`ProcessModel.observes`); None if it
                declares none.
        """
        encoding = Encoding.of(states, observes, pool=True)
        values_SF = encoding.matrix(states)
        always_F = np.array([column.kind == "number" for column in encoding.columns], dtype=bool)
        return cls(encoding, always_F | (values_SF != values_SF[0]).any(axis=0), values_SF[0])

    def matrix(self, states: Sequence[State]) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns the networks' inputs for states.

        Returns:
            The inputs (S, N), and whether each is a flag, which is 0 or 1 (N); None if there are no flags.
        """
        flag_N = self.encoding.flags()[self.given_F]
        given_SN = np.ascontiguousarray(self.encoding.matrix(states)[:, self.given_F])
        return given_SN, flag_N if flag_N.any() else None

    def knows(self, state: State) -> bool:
        """Returns whether the networks know a state.

        It has the form of the states of the fit, and their values of the features that aren't inputs.
        """
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
        """Returns the inputs that were saved as a JSON value."""
        return cls(
            Encoding(Fields.model_validate(plain["form"])),
            np.array(plain["given"], dtype=bool),
            np.array(plain["constant"], dtype=float),
        )
