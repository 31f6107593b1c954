"""Language models as teachers."""

from simdistill.errors import InputError
from simdistill.students import Student


def check_same_words(teacher: Student, student: Student) -> None:
    """Checks that two language models read and write the same tokens.

    Raises:
        InputError: Their vocabularies, chat templates or end tokens differ.
    """
    names = f"the teacher {teacher.base.name} and the student {student.base.name}"
    theirs, ours = teacher.tokenizer, student.tokenizer
    compared = {
        "vocabularies": (theirs.get_vocab(), ours.get_vocab()),
        "chat templates": (theirs.chat_template, ours.chat_template),
        "end tokens": (theirs.eos_token, ours.eos_token),
    }
    differing = [what for what, (one, other) in compared.items() if one != other]
    if differing:
        raise InputError(
            f"{names} have different {' and '.join(differing)}, so their positions can't be compared; take a "
            "teacher.model of the student's family, or use method=kd"
        )
