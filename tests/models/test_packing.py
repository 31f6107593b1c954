"""Packing is exact: the trie gives every choice the probability that its sequence has alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simdistill.models.likelihood import choice_log_probabilities
from simdistill.models.packing import TokenizedQuestion, pack, packs, shared_prefix

END = 2


def question(prompt, *choices):
    return TokenizedQuestion(tuple(prompt), tuple(tuple(choice) for choice in choices), END)


def queueing_questions(tokenizer, count):
    """Questions that share descriptions, parameters and beginnings of states; "1" is a prefix of "10"."""
    from simdistill.models.tokenization import tokenize

    made = []
    for index in range(count):
        system = {"role": "system", "content": "You send jobs to servers. Answer with the server's letter."}
        situation = f"Rates A {1 + index // 4}.0, B 0.5.\nJobs A {index}, B {index % 3}."
        choices = [["A", "B"], ["1", "10", "Server A"], ["A", "B", "C", "100"]][index % 3]
        made.append(tokenize(tokenizer, [system, {"role": "user", "content": situation}], choices))
    return made


def one_by_one(model, questions):
    """log p of each choice of each question, one plain causal sequence at a time."""
    answers = []
    for asked in questions:
        answer = []
        for ids in asked.choice_ids:
            sequence = [*asked.prompt_ids, *ids, asked.end_id]
            with torch.inference_mode():
                log_p = model(input_ids=torch.tensor([sequence[:-1]])).logits[0].log_softmax(-1)
            start = len(asked.prompt_ids)
            answer.append(sum(float(log_p[at - 1, sequence[at]]) for at in range(start, len(sequence))))
        answers.append(answer)
    return answers


def assert_exact(model, questions, tolerance):
    batch = pack(questions)
    with torch.inference_mode():
        log_p_QC = choice_log_probabilities(model(**batch.model_inputs()).logits, batch).numpy()
    for index, expected in enumerate(one_by_one(model, questions)):
        np.testing.assert_allclose(log_p_QC[index, : len(expected)], expected, rtol=tolerance, atol=tolerance)
        assert (log_p_QC[index, len(expected) :] == -np.inf).all()


def test_a_prefix_is_one_node_and_parents_come_first():
    batch = pack([question([5, 6], [7], [7, 8]), question([5, 9], [7])])
    assert batch.input_ids.tolist() == [[5, 6, 7, 8, 9, 7]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 3, 1, 2]]
    assert batch.scored_J.tolist() == [1, 2, 3, 4, 5]
    assert batch.attention_mask[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 0, 0, 0, 1, 0],
        [1, 0, 0, 0, 1, 1],
    ]
    assert batch.choice_mask_QC.tolist() == [[True, True], [True, False]]


def test_factors_name_every_token_and_the_end():
    batch = pack([question([5], [7], [7, 8]), question([5], [8])])
    factors = zip(
        batch.factor_slot_N.tolist(),
        batch.scored_J[batch.factor_row_N].tolist(),
        batch.factor_token_N.tolist(),
        strict=True,
    )
    assert list(factors) == [
        (0, 0, 7),
        (0, 1, END),
        (1, 0, 7),
        (1, 1, 8),
        (1, 2, END),
        (2, 0, 8),
        (2, 3, END),
    ]


def test_packed_equals_one_by_one(tiny_model, tokenizer):
    assert_exact(tiny_model, queueing_questions(tokenizer, 12), 1e-5)


@pytest.mark.slow
def test_packed_equals_one_by_one_on_the_real_model(real_base, tokenizer):
    from simdistill.models.pretrained import load_model

    assert_exact(load_model(real_base), queueing_questions(tokenizer, 4), 5e-5)


def test_a_shared_prefix_leaves_every_prompts_end():
    assert shared_prefix([question([5, 6, 7, 8], [1]), question([5, 6, 9], [1])]) == (5, 6)
    assert shared_prefix([question([5, 6], [1]), question([5, 6], [2])]) == (5,)
    assert shared_prefix([question([5, 6], [1]), question([4, 6], [2])]) == ()


def test_a_batch_goes_on_from_a_cached_prefix(tiny_model, tokenizer):
    questions = queueing_questions(tokenizer, 6)
    prefix = shared_prefix(questions)
    batch = pack(questions)
    assert len(prefix) > 10 and batch.input_ids[0, : len(prefix)].tolist() == list(prefix)
    later = batch.after(len(prefix))
    with torch.inference_mode():
        whole = tiny_model(**batch.model_inputs()).logits
        begun = tiny_model(torch.tensor([prefix]), use_cache=True)
        cache = {
            "cache" if "cache" in begun else "past_key_values": begun.get("cache", begun.past_key_values)
        }
        rest = tiny_model(**later.model_inputs() | cache | {"use_cache": True}).logits
    torch.testing.assert_close(rest, whole, atol=1e-5, rtol=1e-5)


def test_packs_hold_every_question_once_within_the_limit(tokenizer):
    questions = queueing_questions(tokenizer, 30)
    divided = packs(questions, 128)
    assert sorted(index for indices in divided for index in indices) == list(range(30))
    sizes = [pack([questions[index] for index in indices]).input_ids.shape[1] for indices in divided]
    assert len(sizes) > 1
    assert max(sizes) <= 128


def test_a_question_above_the_limit_has_its_own_pack():
    assert packs([question(range(10, 30), [7]), question(range(40, 60), [7])], 5) == [[0], [1]]


@st.composite
def small_question(draw) -> TokenizedQuestion:
    """A question of few different tokens, so that several share prefixes, and labels begin as others do."""
    tokens = st.lists(st.integers(3, 5), min_size=1, max_size=4)
    choices = draw(st.lists(tokens, min_size=1, max_size=4, unique_by=tuple))
    return question(draw(tokens), *choices)


@given(st.lists(small_question(), min_size=1, max_size=5))
@settings(max_examples=25, deadline=None)
def test_any_questions_packed_are_answered_as_one_by_one(tiny_model, asked):
    assert_exact(tiny_model, asked, 1e-4)


@given(st.lists(small_question(), min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
def test_a_node_attends_to_the_tokens_of_its_own_prefix(asked):
    """Every factor's position sees exactly the prompt and the tokens of the choice before it, in order."""
    batch = pack(asked)
    width = batch.choice_mask_QC.shape[1]
    expected: dict[int, list[tuple[tuple[int, ...], int]]] = {}
    for row, one in enumerate(asked):
        for column, ids in enumerate(one.choice_ids):
            answer = (*ids, END)
            expected[row * width + column] = [
                ((*one.prompt_ids, *answer[:place]), token) for place, token in enumerate(answer)
            ]
    found: dict[int, list[tuple[tuple[int, ...], int]]] = {slot: [] for slot in expected}
    for row, token, slot in zip(
        batch.factor_row_N.tolist(), batch.factor_token_N.tolist(), batch.factor_slot_N.tolist(), strict=True
    ):
        seen = batch.attention_mask[0, 0, batch.scored_J[row]]
        found[slot].append((tuple(batch.input_ids[0, seen].tolist()), token))
        assert batch.position_ids[0, seen].tolist() == list(range(int(seen.sum())))
    assert found == expected
