"""What is the same to a fit, or never the same, is named: questions that look equal, and new fields."""

import itertools

from simdistill import exponential
from simdistill.adapt import charge, decide, duration, process_model
from simdistill.checker.check import inspect_simulator

_counted = itertools.count()


def two_questions(env, shown: bool = False, relabelled: bool = False):
    """Two questions with equal choices, and equal states unless they are shown."""
    for number in itertools.count():
        for question in ("Take the discount?", "Break the machine?"):
            good = question.startswith("Take")
            labels = ["yes", "no"] if good or not relabelled else ["break", "leave"]
            state = lambda good=good: {"take": good} if shown else {"now": 0}  # noqa: E731
            yield duration(env, question, number, exponential(1.0))
            answer = yield decide(env, question, labels, state)
            charge(env, "cost", float((answer == labels[0]) != good))


def named_fields(env, nested: bool = False):
    """Fields of the state are named after patients."""
    for number in itertools.count():
        field = {f"patient {number}": number % 3}
        yield duration(env, "arrival", number, exponential(1.0))
        state = lambda field=field: {"waiting": field} if nested else field  # noqa: E731
        charge(env, "cost", 1.0 + ((yield decide(env, "In?", ["in", "away"], state)) == "in"))


def growing(env):
    """Sound: lists of varying length, and a field that is there now and then."""
    for number in itertools.count():
        yield duration(env, "arrival", number, exponential(1.0))
        state = {"queue": [{"kind": "ab"[k % 2]} for k in range(number % 4)], "now": 0}
        state |= {"late": 1} if number % 5 == 0 else {}
        charge(env, "cost", 1.0 + ((yield decide(env, "In?", ["in", "away"], lambda s=state: s)) == "in"))


def counted(env):
    """Goes on with a count of the module's, which comes round every five decisions."""
    for number in itertools.count():
        yield duration(env, "arrival", number, exponential(1.0))
        answer = yield decide(env, "In?", ["in", "away"], lambda: {"now": 0})
        charge(env, "cost", float(next(_counted) % 5) if answer == "in" else 2.0)


TwoQuestions, NamedFields, Growing, Counted = map(
    process_model, (two_questions, named_fields, growing, counted)
)


def problems(simulator, **params):
    return {problem.check: problem for problem in inspect_simulator(simulator, params).problems}


def test_questions_that_look_equal_to_a_fit_are_found():
    problem = problems(TwoQuestions)["deciders"]
    assert "1 for 'Take the discount?'" in problem.message
    assert "-1 for 'Break the machine?'" in problem.message
    assert "which question it is, or give other labels" in problem.advice
    assert not problems(TwoQuestions, shown=True) and not problems(TwoQuestions, relabelled=True)


def test_fields_named_after_what_comes_and_goes_are_found():
    for nested in (False, True):
        problem = problems(NamedFields, nested=nested)["encoding"]
        assert "goes on changing" in problem.message and "patient 149" in problem.message
    assert "encoding" not in problems(Growing)


def test_a_count_of_the_module_that_comes_round_is_found():
    assert "same seed, same run" in problems(Counted)
