"""How answers are read: lenient in form, strict in meaning."""

import pytest

from simdistill.data.answers import Parsed, parse, text_of


@pytest.mark.parametrize("text", ["A", " A\n"])
def test_a_label_alone_is_an_answer(text):
    assert parse(text, ["A", "B"]) == Parsed(0, lenient=False)


@pytest.mark.parametrize(
    "text",
    [
        "b",
        "B.",
        "B!",
        "**B**",
        '"B"',
        "“B”",
        "`B`",
        "(B)",
        "**B**.",
        "Answer: B",
        "answer: **B**",
        "**Answer:** B",
        "Final answer: b.",
        "Answer:\n\nB",
        "The queue at B is shorter.\nAnswer: B",
        "Answer: A? No.\nAnswer: B",
        "Answer: B\nBecause the queue there is shorter.",
        "<think>A is busy, so A or B?</think>\n\nB",
        "A is busy.</think>B",
        "<think>\n\n</think>\n\nAnswer: **B**",
    ],
)
def test_the_form_of_an_answer_does_not_count(text):
    assert parse(text, ["A", "B"]) == Parsed(1, lenient=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "C",
        "A or B",
        "Answer: A or B",
        "A, B",
        "A\nB",
        "A?",
        "not A",
        "-A",
        "I take A",
        "The answer is A, I think",
        "Answer:",
        "Answer: A is busy",
        "<think>A",
        "<think>Answer: A",
        "A <think>or</think> B or A",
    ],
)
def test_what_does_not_name_one_choice_is_no_answer(text):
    assert parse(text, ["A", "B"]) == Parsed(None)


def test_upper_and_lower_case_count_where_they_distinguish_choices():
    assert [parse(text, ["a", "A", "wait"]).choice for text in ("A", "a", "Wait")] == [1, 0, 2]


def test_a_label_with_marks_of_its_own_is_read_first():
    assert parse('"A"', ["A", '"A"']) == Parsed(1)
    assert parse("-1", ["1", "-1"]) == Parsed(1)
    assert parse("-1.", ["1", "2"]) == Parsed(None)
    assert parse("'A'", ["A", '"A"']) == Parsed(None), "either may be meant"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("A", "A"),
        (None, ""),
        ([{"type": "text", "text": "A"}], "A"),
        ([{"type": "thinking", "thinking": "B?"}, {"type": "text", "text": "A"}, "."], "A."),
        ([], ""),
    ],
)
def test_content_has_many_forms(content, text):
    assert text_of(content) == text
