"""The fields of a task: a process, its parameters, its words, and how its policies are compared."""

from typing import Literal

from pydantic import Field

from simdistill.config.parameters import ParametersConfig
from simdistill.config.section import Name, Section


class LanguageConfig(Section):
    """How a state is put in words: Jinja templates over the observed state and the parameters."""

    description: str = Field(
        description="the process and how to answer; the same for every question of the task"
    )
    situation: str = Field(description="the state at one decision")


class TaskConfig(Section):
    """A process, its parameters, its words, and how it is judged."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", description="the task's name and its output folder's"
    )
    simulator: Name = Field(description="registered name, or module:attribute")
    description: str = Field(default="", description="one line")
    kind: Literal["steady_state", "terminating"] = Field(
        default="steady_state",
        description="average cost per time unit after a warm-up, or total cost of one episode",
    )
    time_unit: str = Field(default="minute", description="what one unit of simulated time is")
    cost_unit: str = Field(default="cost", description="what one unit of cost is")
    warm_up: float = Field(
        default=0.0, ge=0, description="simulated time left out at the start of a replication"
    )
    horizon: float = Field(
        default=1000.0, gt=0, description="simulated time of a replication after the warm-up"
    )
    parameters: ParametersConfig = Field(default_factory=ParametersConfig)
    language: LanguageConfig
    heuristic: Name = Field(
        description="the policy a practitioner would use; heuristic_gap_closed refers to it"
    )
    policies: list[str] = Field(
        default_factory=list, description="the simulator's policies in the examination"
    )
    reference: Name | None = Field(
        default=None,
        description="the best policy known: a policy of the simulator, teacher, or optimum; null: the exact "
        "optimum where the simulator can be solved, else the teacher",
    )
    scale: float = Field(default=1.0, gt=0, description="cost units of regret that count as a loss of 1")
