"""Tokenization of questions by the chat template of the model that answers them."""

from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from simdistill.errors import InputError
from simdistill.models.packing import TokenizedQuestion
from simdistill.models.pretrained import in_words


def tokenize(
    tokenizer: PreTrainedTokenizerBase, prompt: Sequence[dict], choices: Sequence[str]
) -> TokenizedQuestion:
    """Tokenizes a question by the chat template.

    Args:
        tokenizer: Tokenizer with a chat template.
        prompt: Chat messages, each `{"role", "content"}`.
        choices: Labels of the choices: at least one, all different.

    Raises:
        InputError: The template refuses the prompt, a choice is empty or its beginning merges with the
            prompt's last token, or two choices have the same tokens.
    """
    text = in_words(tokenizer, prompt, asks=True)
    texts = [text, *(text + choice for choice in choices)]
    prompt_ids, *whole_ids = (tuple(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"])
    choice_ids = tuple(ids[len(prompt_ids) :] for ids in whole_ids)
    for choice, ids in zip(choices, whole_ids, strict=True):
        if ids[: len(prompt_ids)] != prompt_ids or len(ids) == len(prompt_ids):
            raise InputError(
                f"The choice {choice!r} has no tokens of its own after the prompt (an empty label, or one "
                "whose white space at the beginning merges with the prompt). Rename the choice."
            )
    if len(set(choice_ids)) < len(choice_ids):
        raise InputError(f"The choices {list(choices)} aren't all different in tokens. Rename them.")
    end_id: Any = tokenizer.eos_token_id
    return TokenizedQuestion(prompt_ids, choice_ids, end_id)
