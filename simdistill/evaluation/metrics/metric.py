"""The base class of measures, and the computation of all installed measures."""

from collections.abc import Sequence
from typing import ClassVar

from simdistill import registry
from simdistill.evaluation.examination import Examination
from simdistill.results import SETTINGS
from simdistill.statistics import Estimate


class Metric:
    """A measure of an examined student.

    Attributes:
        title: The measure's name as readers see it.
        description: One line that explains the measure.
        relative: Whether the measure is a share and so comparable between tasks; else it is in cost units.
    """

    title: ClassVar[str]
    description: ClassVar[str]
    relative: ClassVar[bool] = False

    def __call__(self, examination: Examination) -> dict[str, Estimate | None]:
        """Returns setting -> the measure's estimate, None where the measure is undefined."""
        return {setting: self.in_setting(examination, setting) for setting in SETTINGS}

    def in_setting(self, examination: Examination, setting: str) -> Estimate | None:
        """Returns the measure's estimate in one setting; None if the measure is undefined there."""
        raise NotImplementedError


def measures(
    examination: Examination, names: Sequence[str] | None = None
) -> dict[str, dict[str, Estimate | None]]:
    """Returns measure's name -> setting -> estimate.

    Args:
        examination: The results of examining all policies.
        names: Names of the measures to compute; by default all installed ones.

    Raises:
        InputError: If a measure of that name isn't installed.
    """
    wanted = registry.names("metrics") if names is None else names
    return {name: registry.load("metrics", name)()(examination) for name in wanted}
