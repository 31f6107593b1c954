"""The learning curve of a run: the student's regret on validation questions against the training effort."""

from pydantic import FiniteFloat, NonNegativeInt

from simdistill.results.parts import Part, Share


class LearningPoint(Part):
    """A point of the learning curve: the training effort so far, and the student's quality.

    Attributes:
        questions: Number of training questions so far.
        tokens: Number of training tokens so far.
        seconds: Seconds of training so far, without teaching.
        validation_regret: Mean regret on the validation questions, in cost units.
        validation_agreement: Share of the validation questions that the student answers like the teacher.
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
        """Returns the first point with at most a share of the heuristic's regret, and True.

        If there is none, the last point and False are returned.
        """
        for point in self.points:
            if point.validation_regret <= share * self.heuristic:
                return point, True
        return self.points[-1], False

    def ends_within(self, share: float) -> bool:
        """Returns whether the last point has at most a share of the heuristic's regret."""
        return self.points[-1].validation_regret <= share * self.heuristic
