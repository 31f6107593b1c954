"""The fields of training that all methods share; a method adds its own beside its code."""

from pydantic import Field

from simdistill.config.section import Count, Name, Section, Weight


class MethodConfig(Section):
    """How the student is trained."""

    name: Name = Field(default="simdistill", description="a registered method")


class DistillConfig(Section):
    """The loss, its optimiser and its budget.

    A question's loss is `imitation * ((1 - soft) * CE(teacher's choice) + soft * CE(soft targets))
    + regret * expected regret + validity * -log(probability of any valid answer)`.
    """

    imitation: Weight = Field(default=1.0, description="weight of imitating the teacher")
    soft: float = Field(
        default=1.0, ge=0, le=1, description="share of soft targets in imitation; the rest is hard labels"
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
        description="peak of the learning rate, which decays to zero; null: the method's own",
    )
    warmup_steps: int = Field(default=5, ge=0, description="steps until the learning rate is at its peak")
    batch_size: Count = Field(default=32, description="questions in a step")
    accumulation: Count = Field(
        default=1,
        description="equal parts in which a step's questions, or sampled answers, are computed one after the "
        "other; more parts take less memory and change nothing else",
    )
    balanced: bool = Field(
        default=True,
        description="whether questions are ordered so that the answers of each step are mixed as in all "
        "of them",
    )
    packed: bool = Field(
        default=False,
        description="whether methods that imitate answers train on packed batches: the loss is that of "
        "TRL's own trainer, several times faster; simdistill always packs",
    )
    questions: Count = Field(default=1600, description="questions on the teacher's states")
    forecasts: int = Field(
        default=160,
        ge=0,
        description="number of these states in which a further question asks for a forecast",
    )
    kinds: dict[str, Count] = Field(
        default_factory=dict, description="further kinds of questions on these states -> number of questions"
    )
    validation_questions: Count = Field(default=200, description="questions held out for the learning curve")
    validation_steps: Count = Field(default=40, description="steps from one point of the curve to the next")
    rounds: int = Field(
        default=1,
        ge=0,
        description="later rounds of training, on states that the student's own decisions lead to",
    )
    round_questions: Count = Field(default=400, description="questions of each later round")
    round_teacher_questions: int = Field(
        default=0,
        ge=0,
        description="further questions on the teacher's states that are mixed with those of each later round",
    )
    round_states_per_episode: Count = Field(
        default=6, description="decisions searched in each of the student's own episodes"
    )
    round_decisions_between: int = Field(
        default=1, ge=0, description="decisions that pass before each searched one in these episodes"
    )
    checkpoint_steps: Count = Field(
        default=10,
        description="steps from one checkpoint to the next; a stopped run goes on from the last one",
    )
