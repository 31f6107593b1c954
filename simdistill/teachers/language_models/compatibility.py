"""Checks for methods that use a teacher's logits or hidden states: the same tokens, but separate weights."""

import torch
from transformers import PreTrainedTokenizerBase

from simdistill.errors import InputError
from simdistill.models.student import Student
from simdistill.teachers.language_models.local import tokenizer_rules


def check_same_words(teacher: Student, student: Student) -> None:
    """Checks that teacher and student have the same tokens, and that they don't share weights.

    Raises:
        InputError: Vocabularies, tokenizers' rules, end tokens or chat templates differ, or teacher and
            student share weights; the message names the difference.
    """
    check_apart(student.model, teacher.model)
    names = f"teacher {teacher.base.name} and student {student.base.name}"
    mend = "Take a teacher of the student's family, or a method that only needs answers: sft, dagger, kd."
    difference = _difference(teacher.tokenizer, student.tokenizer)
    if difference:
        raise InputError(f"{names} don't read the same tokens: {difference}. {mend}")


def check_apart(student: torch.nn.Module, teacher: torch.nn.Module) -> None:
    """Checks that a teacher has weights of its own.

    A teacher that is an adapter on the student's base model object always uses the active adapter, so its
    outputs equal the student's. TRL's loss is then 0 without a warning.

    Raises:
        InputError: Teacher and student share weights.
    """
    own = {weight.data_ptr() for weight in student.parameters()}
    if any(weight.data_ptr() in own for weight in teacher.parameters()):
        raise InputError(
            "The teacher shares its weights with the student, so both would always agree; load the teacher "
            "as a separate object, as in Student.load(model, adapter)"
        )


def _difference(teacher: PreTrainedTokenizerBase, student: PreTrainedTokenizerBase) -> str | None:
    """Returns a description of the first difference between two tokenizers; None if there is none."""
    words, own = teacher.get_vocab(), student.get_vocab()
    if words != own:
        word = min(word for word in words.keys() | own.keys() if words.get(word) != own.get(word))
        return (
            f"the vocabularies have {len(words)} and {len(own)} tokens, and {word!r} is number "
            f"{words.get(word)} and {own.get(word)}"
        )
    if teacher.eos_token != student.eos_token:
        return f"answers end with {teacher.eos_token!r} and {student.eos_token!r}"
    if teacher.chat_template != student.chat_template:
        return f"the chat templates are {_apart(str(teacher.chat_template), str(student.chat_template))}"
    if tokenizer_rules(teacher) != tokenizer_rules(student):
        return f"the tokenizers' rules are {_apart(tokenizer_rules(teacher), tokenizer_rules(student))}"
    return None


def _apart(text: str, other: str) -> str:
    """Returns the parts of two texts around the first character that differs."""
    shorter = min(len(text), len(other))
    place = next((n for n in range(shorter) if text[n] != other[n]), shorter)
    begin = max(place - 20, 0)
    return f"{text[begin : place + 40]!r} and {other[begin : place + 40]!r} at character {place}"
