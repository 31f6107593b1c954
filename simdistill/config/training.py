"""The fields of training that all methods share; further fields are declared in a method's own module."""

from pydantic import Field

from simdistill.config.section import Count, Name, Section, Weight


class MethodConfig(Section):
    """The method by which the student is trained."""

    name: Name = Field(default="simdistill", description="a registered method")


class DistillConfig(Section):
    """The loss, its optimiser and its budget.

    A question's loss is `imitation * ((1 - soft) * CE(teacher's choice) + soft * CE(soft targets))
    + regret * expected regret + validity * -log(probability of any valid answer)`.
    """

    imitation: Weight = Field(default=1.0, description="weight of imitating the teacher")
    soft: float = Field(
        default=1.0, ge=0, le=1, description="weight of soft targets in imitation; the rest: hard labels"
    )
    regret: Weight = Field(
        default=1.0, description="weight of the simulator's expected regret, in units of task.scale"
    )
    validity: Weight = Field(default=1.0, description="weight of answering with one of the choices")
    temperature: float = Field(
        default=0.1,
        gt=0,
        description="temperature of the soft targets, in units of task.scale; standard errors are added "
        "to it",
    )
    learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="peak of the learning rate, which then decays to zero; null: the method's own default",
    )
    warmup_steps: int = Field(default=5, ge=0, description="number of steps until the learning rate's peak")
    batch_size: Count = Field(default=32, description="number of questions in a step")
    accumulation: Count = Field(
        default=1,
        description="number of equal parts in which a step's questions, or sampled answers, are computed one "
        "after the other; more parts take less memory and change nothing else",
    )
    balanced: bool = Field(
        default=True,
        description="whether questions are ordered so that each step has about the same mix of answers as "
        "all questions",
    )
    packed: bool = Field(
        default=False,
        description="whether methods that imitate answers train on packed batches, several times faster, "
        "with the same loss as TRL's own trainer; the method simdistill always packs",
    )
    questions: Count = Field(default=1600, description="number of questions on the teacher's states")
    forecasts: int = Field(
        default=160,
        ge=0,
        description="number of these states with a further question, which asks for a forecast",
    )
    kinds: dict[str, Count] = Field(
        default_factory=dict, description="further kinds of questions on these states -> number of questions"
    )
    validation_questions: Count = Field(
        default=200, description="number of questions held out for the learning curve"
    )
    validation_steps: Count = Field(
        default=40, description="number of steps from one point of the learning curve to the next"
    )
    rounds: int = Field(
        default=1,
        ge=0,
        description="number of later rounds of training, on states that the student's own decisions lead to",
    )
    round_questions: Count = Field(default=400, description="number of questions of each later round")
    round_teacher_questions: int = Field(
        default=0,
        ge=0,
        description="number of further questions on the teacher's states, mixed into each later round",
    )
    round_states_per_episode: Count = Field(
        default=6, description="number of searched decisions in each of the student's own episodes"
    )
    round_decisions_between: int = Field(
        default=1, ge=0, description="number of decisions before each searched one in these episodes"
    )
    checkpoint_steps: Count = Field(
        default=10,
        description="number of steps between checkpoints; a stopped run resumes from the last checkpoint",
    )
