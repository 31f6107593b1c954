"""Settings of the methods that train on sampled answers."""

from typing import ClassVar

from pydantic import Field

from simdistill.config import MethodConfig
from simdistill.config.section import Count


class SamplingConfig(MethodConfig):
    """Settings of sampled answers: their number, temperature and length."""

    formerly: ClassVar[str | None] = "distill.grpo"

    questions: Count = Field(
        default=480, description="number of questions; `samples` answers are sampled for each"
    )
    again: bool = Field(
        default=False,
        description="whether the sampled stage after another stage repeats that stage's questions; else it "
        "has new questions",
    )
    prompts: Count = Field(default=8, description="number of questions in an optimizer step")
    samples: int = Field(default=8, ge=2, description="number of answers sampled for a question")
    temperature: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="sampling temperature; above 1, a student that is sure of one answer explores more",
    )
    answer_tokens: int | None = Field(
        default=None,
        ge=1,
        description="largest number of tokens of a sampled answer, at least what the longest choice needs; "
        "null: just that. More lets a student reason before 'Answer:'; GRPO's loss is divided by this number",
    )
    vllm: bool = Field(
        default=False,
        description="whether vLLM samples answers, on the trainer's graphics card; needs simdistill[vllm]",
    )
    demonstrations: Count = Field(
        default=32,
        description="number of demonstrations in a step, for methods that imitate and sample in one step",
    )
    learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="initial learning rate, which decays to zero; null: distill.learning_rate, or else the "
        "method's default",
    )
