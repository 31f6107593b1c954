"""How answers are read: lenient in form, strict in meaning."""

import pytest

from simdistill.data.answers import Parsed, parse, said, text_of


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
        "<think>A? <think>Or C?</think> No.</think>B",
        "<THINK>A</THINK>\nB",
        "<thinking>A</thinking> B.",
        "<answer>B</answer>",
        "<think>A</think><answer> b. </answer>",
        "\\boxed{B}",
        "$\\boxed{\\text{B}}$.",
        "B)",
        "ANSWER: B",
        "A is short, but B is free.\nB",
        "A is short, but B is free.\n\n**B**\n",
        "Answer: \\boxed{B}",
        "**Answer:** $\\boxed{\\text{B}}$",
        "So the answer is \\boxed{B}.",
        "\\boxed{B}\nas \\boxed{B} is free",
        "A is busy, so I say <answer>B</answer>.",
        "The answer is: B",
        "A is not free, so my answer: B",
        "A isn't free so answer: B",
        "Answer：B",
        "Ｂ",
        "\ufeffB\u200b",
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
        "A</think>",
        "<think>A</think>B<think>C",
        "A.\nB",
        "Answer: A\nAnswer: C",
        "Answer: A is busy\nB",
        "Answer: A\nor B",
        "Answer: A\n\nB",
        "It is not the answer: A",
        "Wrong answer: A",
        "That isn't my answer: A",
        "no answer: A",
        "It isn't \\boxed{A}",
        "\\boxed{A}, or \\boxed{B}",
        "\\boxed{A or B}",
        "A²",
        "<answer>A or B</answer>",
        "AB",
        "...",
        "**",
    ],
)
def test_what_does_not_name_one_choice_is_no_answer(text):
    assert parse(text, ["A", "B"]) == Parsed(None)


def test_letters_may_be_composed_in_two_ways():
    assert parse("U\u0308berholen", ["Überholen", "warten"]) == Parsed(0, lenient=True)


def test_upper_and_lower_case_count_where_they_distinguish_choices():
    assert [parse(text, ["a", "A", "wait"]).choice for text in ("A", "a", "Wait")] == [1, 0, 2]


def test_a_label_with_marks_of_its_own_is_read_first():
    assert parse('"A"', ["A", '"A"']) == Parsed(1)
    assert parse("-1", ["1", "-1"]) == Parsed(1)
    assert parse("-1.", ["1", "2"]) == Parsed(None)
    assert parse("'A'", ["A", '"A"']) == Parsed(None), "either may be meant"


NUMBERS = ["1", "10", "-1", "100", "1.5"]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("1", "1"),
        ("10.", "10"),
        ("Answer: 10", "10"),
        ("**-1**", "-1"),
        ("−1", "-1"),
        ("1.5.", "1.5"),
        ("Answer: 1.5\nas 1 is too little", "1.5"),
        ("1 is too little, 100 too much.\n10", "10"),
        ("1.0", None),
        ("15", None),
        ("-10", None),
        ("1,000", None),
        ("10 lots", None),
        ("1 10", None),
        ("1\n10", None),
        ("0", None),
    ],
)
def test_numbers_are_read_whole(text, label):
    place = parse(text, NUMBERS).choice
    assert (None if place is None else NUMBERS[place]) == label


WORDS = ["no", "no.", "No", "go on", "St. John's", "wait!", "*", "Room (2)"]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("no", "no"),
        ("no.", "no."),
        ("**no.**", "no."),
        ("'No'", "No"),
        ("NO", None),
        ("no!", None),
        ("Go  On.", "go on"),
        ("go", None),
        ("st. john's", "St. John's"),
        ("Answer: St. John's.", "St. John's"),
        ("St John's", None),
        ("wait", "wait!"),
        ("*", "*"),
        ("", None),
        ("**", None),
        ("**room (2)**", "Room (2)"),
        ("room 2", None),
    ],
)
def test_labels_may_have_marks_and_cases_of_their_own(text, label):
    place = parse(text, WORDS).choice
    assert (None if place is None else WORDS[place]) == label


@pytest.mark.parametrize(
    ("completion", "text"),
    [
        ("A", "A"),
        (None, ""),
        ([], ""),
        ([{"role": "assistant", "content": "A"}], "A"),
        ([{"role": "assistant", "content": None, "reasoning_content": "A"}], ""),
        ([{"role": "assistant", "tool_calls": []}], ""),
        ([{"role": "assistant", "content": [{"type": "text", "text": "A"}]}], "A"),
        ([{"role": "assistant", "content": "B?"}, {"role": "assistant", "content": "A"}], "A"),
        ({"role": "assistant", "content": "A"}, "A"),
        ([{"type": "text", "text": "A"}], "A"),
        ([None, 3], ""),
        ([{"role": "assistant", "content": "A"}, {"role": "tool", "content": "B"}], "A"),
        ([{"role": "user", "content": "A"}], ""),
        ({"content": "A"}, "A"),
    ],
)
def test_completions_have_many_forms(completion, text):
    assert said(completion) == text


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
