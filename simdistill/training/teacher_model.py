"""The language model that a method learns from, beside the student in memory."""

from simdistill.config import RunConfig
from simdistill.config.names import check_teacher_model
from simdistill.errors import InputError
from simdistill.models.pretrained import base_model, load_tokenizer
from simdistill.models.student import Student
from simdistill.teachers.language_models.compatibility import check_same_words
from simdistill.teachers.language_models.local import made_by


def teacher_model(config: RunConfig, student: Student) -> Student:
    """Loads the teacher of a run, its adapter merged, on the student's device.

    Args:
        config: The run.
        student: Who learns from it.

    Raises:
        InputError: There is none, its words aren't the student's, or it is what the student begins as.
    """
    check_teacher_model(config)
    teacher = Student.load(str(config.teacher.model), config.teacher.adapter, student.model.device.type)
    check_same_words(teacher, student)
    if config.teacher.adapter is None and teacher.base.sha256 == student.base.sha256:
        raise InputError(
            f"teacher.model={config.teacher.model} is what the student begins as, so there is nothing to "
            "learn from it; set teacher.adapter, or teacher.model to a trained model (simdistill export RUN)"
        )
    return teacher


def checksums(config: RunConfig) -> dict[str, str | None]:
    """Returns those of all that makes a run's teacher what it is; its weights aren't loaded.

    Raises:
        InputError: There is no such model.
    """
    base = base_model(str(config.teacher.model))
    return made_by(base, load_tokenizer(base), config.teacher.adapter)
