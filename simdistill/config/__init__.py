"""The configuration of a run: every field with its unit, bounds and default."""

from simdistill.config.changes import changed, differences
from simdistill.config.compose import compose
from simdistill.config.evaluation import EvaluationConfig
from simdistill.config.executor import ExecutorConfig
from simdistill.config.parameters import Bounds, ParametersConfig, Range, Ranges
from simdistill.config.reference import fields
from simdistill.config.run import PLACE, RunConfig, fingerprint, for_training
from simdistill.config.saved import load_config, save
from simdistill.config.section import Section
from simdistill.config.student import LoraConfig, StudentConfig
from simdistill.config.task import LanguageConfig, TaskConfig
from simdistill.config.task_files import describe_task, read_yaml, tasks
from simdistill.config.teacher import TeacherConfig
from simdistill.config.training import DistillConfig, MethodConfig

__all__ = [
    "PLACE",
    "Bounds",
    "DistillConfig",
    "EvaluationConfig",
    "ExecutorConfig",
    "LanguageConfig",
    "LoraConfig",
    "MethodConfig",
    "ParametersConfig",
    "Range",
    "Ranges",
    "RunConfig",
    "Section",
    "StudentConfig",
    "TaskConfig",
    "TeacherConfig",
    "changed",
    "compose",
    "describe_task",
    "differences",
    "fields",
    "fingerprint",
    "for_training",
    "load_config",
    "read_yaml",
    "save",
    "tasks",
]
