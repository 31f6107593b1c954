"""The reward that gives up on a model which never answers."""

import pytest

from simdistill import rewards
from simdistill.errors import InputError
from simdistill.training.legality import Legality


def test_patience_begins_anew_with_a_legal_answer():
    legality = Legality(rewards.consistency, patience=2)
    babble = {"completions": ["babble"] * 16, "choices": [["A", "B"]] * 16, "values": [[0.0, 1.0]] * 16}
    legal = babble | {"completions": ["babble"] * 15 + ["B"]}
    assert legality(**babble)[0] == -2 and legality(**legal)[-1] == -1 and legality(**babble)[0] == -2
    with pytest.raises(InputError, match="method=sft_grpo") as error:
        legality(**babble)
    assert str(error.value).count("'babble', of A, B") == 10


def test_the_last_answers_are_told():
    legality = Legality(rewards.consistency, patience=4)
    columns = {"choices": [["A", "B"]] * 4, "values": [[0.0, 1.0]] * 4}
    for step in range(-1, 3):
        legality(completions=["A" if step < 0 else f"babble {step}{n}" for n in range(4)], **columns)
    with pytest.raises(InputError) as error:
        legality(completions=[f"babble 3{n}" for n in range(4)], **columns)
    last = [f"  'babble {step}{n}', of A, B" for step in (1, 2, 3) for n in range(4)][2:]
    assert str(error.value).splitlines()[1:] == last


def test_a_legal_answer_may_have_another_form_and_content_may_be_missing():
    legality = Legality(rewards.consistency, patience=2)
    columns = {"choices": [["A", "B"]], "values": [[0.0, 1.0]]}
    for content in (None, "**b**", None, [{"type": "text", "text": "Answer: B"}], None):
        legality(completions=[[{"role": "assistant", "content": content}]], **columns)
    with pytest.raises(InputError, match="'', of A, B"):
        legality(completions=[[{"role": "assistant", "content": []}]], **columns)
