"""One case to run, and how much of it is simulated."""

from dataclasses import dataclass

from simdistill.config import TaskConfig
from simdistill.simulation import Experiment, KnownCase, ProcessModel, Streams
from simdistill.simulation.policies import RandomPolicy


@dataclass(frozen=True)
class Budget:
    """How much of a case is simulated, counted in SimPy events, so that results don't depend on speed.

    Attributes:
        cheap: Events up to which a half-width of 1% is sought.
        most: Events up to which one of 2% is sought where a solver has found the value, too.
        longest: Events up to which what a verdict needs is sought: 2% where simulation is all there is.
    """

    cheap: int
    most: int
    longest: int


FULL, QUICK = Budget(1_000_000, 4_000_000, 40_000_000), Budget(0, 600_000, 1_200_000)


@dataclass(frozen=True)
class Item:
    """One case to run, picklable.

    Attributes:
        name: Name of the simulator.
        simulator: The simulator.
        case: The known case; one without expected answers checks the laws alone.
        budget: How much is simulated.
        task: A task in whose experiment the laws are checked, for simulators without known answers.
    """

    name: str
    simulator: type[ProcessModel]
    case: KnownCase
    budget: Budget
    task: TaskConfig | None = None

    def experiment(self) -> Experiment:
        """Returns how the simulator reproduces the case."""
        if self.task is None:
            return self.simulator.experiment(self.case)
        return Experiment(
            params=self.simulator.parse(self.task.parameters.default),
            policy=self.simulator.policies.get(self.task.heuristic) or RandomPolicy(Streams((0,))),
            warm_up=self.task.warm_up,
            horizon=self.task.horizon,
            terminating=self.task.kind == "terminating",
        )
