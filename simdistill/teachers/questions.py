"""Questions about searched states: a decision question for each state, and questions of further kinds."""

from collections.abc import Mapping
from dataclasses import replace

from simdistill import registry
from simdistill.data.asking import Asking
from simdistill.data.kinds.decision import DecisionQuestion
from simdistill.data.ordering import behind
from simdistill.data.question import Question


def questions(asking: Asking, decisions: int, kinds: Mapping[str, int] | None = None) -> list[Question]:
    """Returns questions about searched states.

    Args:
        asking: The states, their labels, and other inputs of questions.
        decisions: Largest number of decision questions.
        kinds: Largest number of questions of each further kind, by the kind's name. Each of them is about the
            state of a decision question and follows it, since their prompts begin alike.

    Raises:
        InputError: If a kind of question isn't installed.
    """
    # A random demonstrator draws an answer for each state, so all states are posed: then its later answers
    # don't depend on the number of questions that are kept.
    asked = DecisionQuestion.pose(asking, len(asking.searched))[:decisions]
    about = replace(asking, searched=asking.searched[: len(asked)])
    further: list[Question] = []
    for kind, count in (kinds or {}).items():
        further += registry.load("questions", kind).pose(about, count)
    return behind(asked, further)
