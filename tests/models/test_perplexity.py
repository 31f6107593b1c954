"""Perplexity equals a direct computation, and training on a process can raise it."""

import math

import pytest
import torch

from simdistill.models import perplexity as module
from simdistill.models.perplexity import perplexity, plain_english
from simdistill.models.student import Student


def test_perplexity_is_that_of_a_direct_computation(tiny_folder, monkeypatch):
    monkeypatch.setattr(module, "WINDOW", 300)
    student = Student.load(tiny_folder)
    ids = student.tokenizer(plain_english(), add_special_tokens=False)["input_ids"]
    logs = []
    for begin in range(0, len(ids), 300):
        window = ids[begin : begin + 300]
        with torch.inference_mode():
            p_TV = student.model(torch.tensor([window])).logits[0].double().softmax(-1)
        logs += [math.log(p_TV[place, token]) for place, token in enumerate(window[1:])]
    assert len(logs) == len(ids) - math.ceil(len(ids) / 300)
    assert perplexity(student) == pytest.approx(math.exp(-sum(logs) / len(logs)), rel=1e-4)


def test_the_page_is_long_enough_and_plain():
    assert 500 <= len(plain_english().split()) <= 800 and plain_english().isascii()


@pytest.mark.slow
def test_the_real_student_reads_english(real_base):
    assert 5 < perplexity(Student.load(real_base)) < 60
