"""What a measure is, and all that are installed."""

from collections.abc import Sequence
from typing import ClassVar

from simdistill import registry
from simdistill.evaluation.examination import Examination
from simdistill.results import SETTINGS
from simdistill.statistics import Estimate


class Metric:
    """A measure of an examined student.

    Attributes:
        title: What people call it.
        description: One line on what it is.
        relative: Whether it is a share, so that tasks can be compared by it; else it is in cost units.
    """

    title: ClassVar[str]
    description: ClassVar[str]
    relative: ClassVar[bool] = False

    def __call__(self, examination: Examination) -> dict[str, Estimate | None]:
        """Returns the measure in every setting; None where it is undefined."""
        return {setting: self.in_setting(examination, setting) for setting in SETTINGS}

    def in_setting(self, examination: Examination, setting: str) -> Estimate | None:
        """Returns the measure in one setting."""
        raise NotImplementedError


def measures(
    examination: Examination, names: Sequence[str] | None = None
) -> dict[str, dict[str, Estimate | None]]:
    """Returns measures by name and setting.

    Args:
        examination: What was found.
        names: Which measures; all that are installed if left out.

    Raises:
        InputError: If there is no measure of a name.
    """
    wanted = registry.names("metrics") if names is None else names
    return {name: registry.load("metrics", name)()(examination) for name in wanted}
