"""Order of questions in training, which determines the questions of each batch.

Axes: Q questions, L different labels of all questions' choices.
"""

from collections import Counter
from collections.abc import Sequence
from operator import itemgetter

import numpy as np

from simdistill.data.question import Question

WINDOW = 512
"""Number of next questions from which a batch's next one is chosen; all would take quadratic time."""


def apart(questions: Sequence[Question]) -> list[Question]:
    """Returns questions in turns of one from each scenario, so that a batch has different scenarios."""
    met: Counter[int] = Counter()
    turns = []
    for question in questions:
        turns.append(met[question.group])
        met[question.group] += 1
    return [questions[place] for place in sorted(range(len(questions)), key=turns.__getitem__)]


def mixed(first: Sequence[Question], second: Sequence[Question]) -> list[Question]:
    """Merges two lists so that each is spread evenly and keeps its own order."""
    places = [((place + 0.5) / len(part), q) for part in (first, second) for place, q in enumerate(part)]
    return [question for _, question in sorted(places, key=itemgetter(0))]


def behind(questions: Sequence[Question], further: Sequence[Question]) -> list[Question]:
    """Returns questions with each further question behind the one about the same situation.

    Their prompts begin alike, so a batch computes the common beginning once. Further questions about other
    situations are spread evenly.

    Args:
        questions: Questions about different situations.
        further: Further questions in any order; those about the same situation keep their order.
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
    """Returns a key that identifies a question's situation among those of the same process."""
    return question.situation.path, question.situation.actions


def balanced(questions: Sequence[Question], size: int) -> list[Question]:
    """Returns questions in an order in which every batch has about the overall frequencies of answers.

    At first a student doesn't use the state, and only learns the frequency of each answer. Batches in which
    frequencies differ by chance give gradients of these constants that are much larger than those of anything
    that depends on the state.

    Every batch begins with the first remaining question. Then it takes, of the next `WINDOW` questions, the
    one that makes the sum of deviations from the mean answers and choices smallest. This is herding over
    targets, instead of over gradients as in Lu, Guo and De Sa, "GraB: Finding Provably Better Data
    Permutations than Random Reshuffling", NeurIPS 2022.

    Args:
        questions: Questions in any order, which is kept as far as the balance allows.
        size: Number of questions in a batch.
    """
    deviation_QL = _deviations(questions)
    left, order = list(range(len(questions))), []
    sum_L = np.zeros(deviation_QL.shape[1])
    while left:
        nearest = 0
        if len(order) % size:
            window = left[:WINDOW]
            distance_Q = np.square(sum_L + deviation_QL[window]).sum(1)
            # Rounded, so that ties don't depend on the processor's rounding errors.
            nearest = int(np.argmin(distance_Q.round(9)))
        order.append(left.pop(nearest))
        sum_L += deviation_QL[order[-1]]
    return [questions[place] for place in order]


def _deviations(questions: Sequence[Question]) -> np.ndarray:
    """Returns each label's target and whether it is a choice, minus their means over questions, (Q, 2L)."""
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
