"""The language model whose probabilities or hidden states a method learns from, in the student's process."""

from simdistill.config import RunConfig
from simdistill.config.names import check_teacher_model
from simdistill.errors import InputError
from simdistill.models.pretrained import base_model, load_tokenizer
from simdistill.models.student import Student
from simdistill.teachers.language_models.compatibility import check_same_words
from simdistill.teachers.language_models.local import made_by


def teacher_model(config: RunConfig, student: Student) -> Student:
    """Loads the teacher model of a run on the student's device, with its adapter merged.

    Args:
        config: Configuration of the run.
        student: The student that learns from the model.

    Raises:
        InputError: There is no teacher model, its tokens differ from the student's, or it is the student's
            base model.
    """
    check_teacher_model(config)
    teacher = Student.load(str(config.teacher.model), config.teacher.adapter, student.model.device.type)
    check_same_words(teacher, student)
    if config.teacher.adapter is None and teacher.base.sha256 == student.base.sha256:
        raise InputError(
            f"teacher.model={config.teacher.model} is the student's own base model, so there is nothing to "
            "learn from it; set teacher.adapter, or set teacher.model to a trained model "
            "(simdistill export RUN)"
        )
    return teacher


def checksums(config: RunConfig) -> dict[str, str | None]:
    """Returns checksums of everything that determines the outputs of a run's teacher model.

    The weights aren't loaded.

    Raises:
        InputError: There is no such model.
    """
    base = base_model(str(config.teacher.model))
    return made_by(base, load_tokenizer(base), config.teacher.adapter)
