"""Whether a student can still read: perplexity on a page of English that has nothing to do with its task.

The page, `plain_english.txt`, was written for simdistill and is under its licence, Apache-2.0.
"""

import math
from functools import cache
from importlib.resources import files

import torch

from simdistill.models.student import Student

WINDOW = 512
"""Tokens of one forward pass."""


def perplexity(student: Student) -> float:
    """Exponential of the mean negative log-probability of a token, given those before it in its window.

    The text is cut in windows of `WINDOW` tokens; the first token of each is not scored.

    Args:
        student: As it decides; its adapter is part of it.
    """
    ids = student.tokenizer(plain_english(), add_special_tokens=False)["input_ids"]
    total, count = 0.0, 0
    for begin in range(0, len(ids), WINDOW):
        window_T = torch.tensor([ids[begin : begin + WINDOW]], device=student.model.device)
        with torch.inference_mode():
            logits_TV = student.model(window_T, use_cache=False).logits[0, :-1].float()
        losses_T = torch.nn.functional.cross_entropy(logits_TV, window_T[0, 1:], reduction="none")
        total, count = total + float(losses_T.double().sum()), count + len(losses_T)
    return math.exp(total / count)


@cache
def plain_english() -> str:
    """The page."""
    return files("simdistill.models").joinpath("plain_english.txt").read_text(encoding="utf-8")
