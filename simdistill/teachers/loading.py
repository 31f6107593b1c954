"""Loads teachers by name: registered teachers, or policies of the simulator."""

from simdistill import registry
from simdistill.config import TeacherConfig
from simdistill.errors import InputError
from simdistill.teachers.demonstration import PolicyTeacher
from simdistill.teachers.policies import named_policy
from simdistill.teachers.protocol import Teacher


def load_teacher(config: TeacherConfig, seed: int, simulator: str) -> Teacher:
    """Returns the teacher of a configuration.

    Args:
        config: Name and settings of the teacher.
        seed: Root seed.
        simulator: Name of the simulator, whose policies can be teachers.

    Raises:
        InputError: There is no such teacher, or it can't be loaded.
    """
    found = teacher_class(config.name)
    if found is PolicyTeacher:
        named_policy(simulator, config.name)
    return found(config, seed)


def teacher_class(name: str) -> type:
    """Returns the teacher class of a name: `PolicyTeacher` if the name isn't that of a registered class.

    Raises:
        InputError: A registered class has no `teach`.
    """
    if ":" not in name and name not in registry.names("teachers"):
        return PolicyTeacher
    found = registry.load("teachers", name)
    if not isinstance(found, type):
        return PolicyTeacher
    if not hasattr(found, "teach"):
        raise InputError(f"teacher '{name}': {found.__module__}:{found.__qualname__} has no method teach()")
    return found


def answers_itself(name: str) -> bool:
    """Returns whether a teacher replaces its lesson's answers by answers of its own, as a language model."""
    return hasattr(teacher_class(name), "answer")
