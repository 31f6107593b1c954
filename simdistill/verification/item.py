"""A case to run, and the budget of its simulation."""

from dataclasses import dataclass

from simdistill.config import TaskConfig
from simdistill.simulation import Experiment, KnownCase, ProcessModel, Streams
from simdistill.simulation.policies import RandomPolicy


@dataclass(frozen=True)
class Budget:
    """Limits of a case's simulation, in SimPy events, so that results don't depend on the machine's speed.

    Replications are added while a half-width is too large and fewer events than the limit were simulated.

    Attributes:
        cheap: Number of events up to which the half-widths should reach 1% of the value.
        most: Number of events up to which they should reach 2%.
        longest: Number of events up to which they should reach what a verdict needs: 2%, or 5% where the
            solver agrees with the value.
    """

    cheap: int
    most: int
    longest: int


FULL, QUICK = Budget(1_000_000, 4_000_000, 40_000_000), Budget(0, 600_000, 1_200_000)


@dataclass(frozen=True)
class Item:
    """A case to run; it can be pickled.

    Attributes:
        name: Name of the simulator.
        simulator: Class of the simulator.
        case: The known case; a case without expected answers checks the laws alone.
        budget: Limits of the simulation.
        task: Task whose parameters, heuristic and horizon are simulated to check the laws, for simulators
            without known answers.
    """

    name: str
    simulator: type[ProcessModel]
    case: KnownCase
    budget: Budget
    task: TaskConfig | None = None

    def experiment(self) -> Experiment:
        """Returns the experiment in which the simulator reproduces the case."""
        if self.task is None:
            return self.simulator.experiment(self.case)
        return Experiment(
            params=self.simulator.parse(self.task.parameters.default),
            policy=self.simulator.policies.get(self.task.heuristic) or RandomPolicy(Streams((0,))),
            warm_up=self.task.warm_up,
            horizon=self.task.horizon,
            terminating=self.task.kind == "terminating",
        )
