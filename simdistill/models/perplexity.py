"""Perplexity on a page of English unrelated to the task: whether a student is still a language model.

The page, `plain_english.txt`, was written for simdistill and has simdistill's licence, Apache-2.0.
"""

import math
from functools import cache
from importlib.resources import files

import torch

from simdistill.models.student import Student

WINDOW = 512
"""Number of tokens in one forward pass."""


def perplexity(student: Student) -> float:
    """Returns the exponential of a token's mean negative log-probability, given earlier tokens of its window.

    The text is divided into windows of `WINDOW` tokens; the first token of each window is not scored.

    Args:
        student: The student, with its adapter.
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
    """Returns the text of the page."""
    return files("simdistill.models").joinpath("plain_english.txt").read_text(encoding="utf-8")
