"""The learning curve of a run: what its student gives away on validation questions, against what it took."""

from pydantic import FiniteFloat, NonNegativeInt

from simdistill.results.parts import Part, Share


class LearningPoint(Part):
    """A point of the learning curve: what had been spent, and how good the student was.

    Attributes:
        questions: Training questions so far.
        tokens: Training tokens so far.
        seconds: Of training, without teaching.
        validation_regret: Mean regret on the validation questions, in cost units.
        validation_agreement: Share of them answered as the teacher does.
    """

    questions: NonNegativeInt
    tokens: NonNegativeInt
    seconds: FiniteFloat
    validation_regret: FiniteFloat
    validation_agreement: Share | None = None


class Learning(Part):
    """The learning curve, with the heuristic's regret on the same validation questions."""

    points: list[LearningPoint]
    heuristic: FiniteFloat

    def until(self, share: float) -> tuple[LearningPoint, bool]:
        """Returns the first point with at most a share of the heuristic's regret, else the last and False."""
        for point in self.points:
            if point.validation_regret <= share * self.heuristic:
                return point, True
        return self.points[-1], False

    def ends_within(self, share: float) -> bool:
        """Returns whether the last point has at most a share of the heuristic's regret."""
        return self.points[-1].validation_regret <= share * self.heuristic
