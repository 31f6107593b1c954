"""Questions about searched states: a decision in each state, and further kinds of questions among them."""

from collections.abc import Mapping
from dataclasses import replace

from simdistill import registry
from simdistill.data.asking import Asking
from simdistill.data.kinds.decision import DecisionQuestion
from simdistill.data.ordering import behind
from simdistill.data.question import Question


def questions(asking: Asking, decisions: int, kinds: Mapping[str, int] | None = None) -> list[Question]:
    """Asks about searched states.

    Args:
        asking: The states, and what else there is to ask with.
        decisions: How many decisions, at most.
        kinds: Further kinds of questions -> how many of each, at most. They are about the states of the
            decisions, and follow them: their prompts begin alike.

    Raises:
        InputError: If there is no such kind of question.
    """
    # A random demonstrator counts its answers: those that follow don't depend on how many states are kept.
    asked = DecisionQuestion.pose(asking, len(asking.searched))[:decisions]
    about = replace(asking, searched=asking.searched[: len(asked)])
    further: list[Question] = []
    for kind, count in (kinds or {}).items():
        further += registry.load("questions", kind).pose(about, count)
    return behind(asked, further)
