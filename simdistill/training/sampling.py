"""The fields of methods that train on sampled answers."""

from typing import ClassVar

from pydantic import Field

from simdistill.config import MethodConfig
from simdistill.config.section import Count


class SamplingConfig(MethodConfig):
    """How answers are sampled, and how many."""

    formerly: ClassVar[str | None] = "distill.grpo"

    questions: Count = Field(default=480, description="questions answered, each by `samples` answers")
    again: bool = Field(
        default=False,
        description="whether a stage that follows another one asks its first questions again, and not "
        "new ones",
    )
    prompts: Count = Field(default=8, description="questions in a step")
    samples: int = Field(default=8, ge=2, description="answers sampled for a question")
    temperature: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="temperature of sampling; above 1, a student that is sure of an answer tries others "
        "as well",
    )
    answer_tokens: int | None = Field(
        default=None,
        ge=1,
        description="tokens that a sampled answer may have, never fewer than the longest choice needs; null: "
        "just those. More lets a student reason before 'Answer:'; GRPO's loss is divided by it",
    )
    vllm: bool = Field(
        default=False,
        description="whether vLLM samples, beside the trainer on a graphics card; it needs simdistill[vllm]",
    )
    demonstrations: Count = Field(
        default=32,
        description="questions that a step imitates, in methods that imitate and sample in one step",
    )
    learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="learning rate at first, which decays to zero; null: distill.learning_rate, or the "
        "method's",
    )
