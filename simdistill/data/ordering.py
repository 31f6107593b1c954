"""In which order questions are asked, and so which of them share a batch.

Axes: Q questions, L labels of all their choices.
"""

from collections import Counter
from collections.abc import Sequence
from operator import itemgetter

import numpy as np

from simdistill.data.question import Question

WINDOW = 512
"""How many of the next questions a place in a batch is filled from; all would take quadratic time."""


def apart(questions: Sequence[Question]) -> list[Question]:
    """Returns questions in turns of one from each scenario, so that a batch has different ones."""
    met: Counter[int] = Counter()
    turns = []
    for question in questions:
        turns.append(met[question.group])
        met[question.group] += 1
    return [questions[place] for place in sorted(range(len(questions)), key=turns.__getitem__)]


def mixed(first: Sequence[Question], second: Sequence[Question]) -> list[Question]:
    """Returns two lists as one in which each is spread evenly, in its own order."""
    places = [((place + 0.5) / len(part), q) for part in (first, second) for place, q in enumerate(part)]
    return [question for _, question in sorted(places, key=itemgetter(0))]


def behind(questions: Sequence[Question], further: Sequence[Question]) -> list[Question]:
    """Returns questions with each further one behind the first about the same situation.

    Their prompts begin alike, so that one batch computes what they share once. Further questions about no
    situation of `questions` are spread evenly.

    Args:
        questions: About different situations.
        further: In any order; those about one situation keep theirs.
    """
    about: dict[tuple, list[Question]] = {_place(question): [] for question in questions}
    elsewhere = []
    for question in further:
        about.get(_place(question), elsewhere).append(question)
    together = []
    for question in questions:
        together += [question, *about.pop(_place(question), [])]
    return mixed(together, elsewhere)


def _place(question: Question) -> tuple:
    """What tells a question's situation from others of the same process."""
    return question.situation.path, question.situation.actions


def balanced(questions: Sequence[Question], size: int) -> list[Question]:
    """Returns questions in an order in which every batch has about the answers that all of them have.

    A student that hasn't yet read the state can only learn how often each answer is right. Batches in which
    that differs by chance pull at this constant, much harder than at anything that depends on the state.

    Every batch begins with the first question that is left, and goes on with the one of the next `WINDOW`
    that brings all answers and choices so far nearest to what is usual: herding over targets, in place of
    the gradients of Lu, Guo and De Sa, "GraB: Finding Provably Better Data Permutations than Random
    Reshuffling", NeurIPS 2022.

    Args:
        questions: In any order; it is kept as far as the balance allows.
        size: Questions of a batch.
    """
    deviation_QL = _deviations(questions)
    left, order = list(range(len(questions))), []
    sum_L = np.zeros(deviation_QL.shape[1])
    while left:
        nearest = 0
        if len(order) % size:
            window = left[:WINDOW]
            distance_Q = np.square(sum_L + deviation_QL[window]).sum(1)
            # Equally good ones shouldn't be told apart by how a processor rounds.
            nearest = int(np.argmin(distance_Q.round(9)))
        order.append(left.pop(nearest))
        sum_L += deviation_QL[order[-1]]
    return [questions[place] for place in order]


def _deviations(questions: Sequence[Question]) -> np.ndarray:
    """(Q, 2L): targets, and which labels are a choice at all, less their means over questions."""
    labels = list(dict.fromkeys(label for question in questions for label in question.choices))
    places = {label: place for place, label in enumerate(labels)}
    target_QL = np.zeros((len(questions), len(labels)))
    legal_QL = np.zeros_like(target_QL)
    for row, question in enumerate(questions):
        columns = [places[label] for label in question.choices]
        legal_QL[row, columns] = 1.0
        target_QL[row, columns] = question.answer_C
    both = np.hstack([target_QL, legal_QL])
    return both - both.mean(0) if len(both) else both
