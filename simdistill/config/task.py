"""The fields of a task: a process, its parameters, its prompts, and how its policies are compared."""

import math
from typing import Literal

from pydantic import Field

from simdistill.config.parameters import ParametersConfig
from simdistill.config.section import Name, Section


class LanguageConfig(Section):
    """The prompts that describe a state: Jinja templates with the observed state and the parameters."""

    description: str = Field(description="template of the system prompt: the process, and how to answer")
    situation: str = Field(description="template of the user prompt: the state at one decision")


class TaskConfig(Section):
    """A task: a process, its parameters, its prompts, and how its policies are compared."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", description="name of the task and of its folder of runs"
    )
    simulator: Name = Field(description="a registered simulator, or module:attribute")
    description: str = Field(default="", description="the task in one line, for lists")
    kind: Literal["steady_state", "terminating"] = Field(
        default="steady_state",
        description="how a policy's cost is measured: average per time unit after a warm-up, or total of an "
        "episode",
    )
    time_unit: str = Field(default="minute", description="name of one unit of simulated time")
    cost_unit: str = Field(default="cost", description="name of one unit of cost")
    warm_up: float = Field(
        default=0.0, ge=0, description="initial simulated time of a replication, whose costs aren't counted"
    )
    horizon: float = Field(
        default=1000.0,
        gt=0,
        description="simulated time of a replication after the warm-up; a terminating task ends then, if its "
        "process hasn't ended by itself",
    )
    parameters: ParametersConfig = Field(default_factory=ParametersConfig)
    language: LanguageConfig
    heuristic: Name = Field(
        description="the policy that a practitioner would use; heuristic_gap_closed refers to it"
    )
    policies: list[str] = Field(
        default_factory=list, description="the simulator's policies that are examined beside the student"
    )
    reference: Name | None = Field(
        default=None,
        description="the best policy known: a policy of the simulator, teacher, or optimum; null: the exact "
        "optimum where the simulator can be solved, else the teacher",
    )
    scale: float = Field(default=1.0, gt=0, description="regret, in cost units, that counts as a loss of 1")

    @property
    def until(self) -> float:
        """Simulated time at which an episode of the task ends; infinite for a steady state."""
        return self.warm_up + self.horizon if self.kind == "terminating" else math.inf
