"""Playing an episode under observation."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from simdistill import registry
from simdistill.config import TaskConfig
from simdistill.errors import InputError
from simdistill.simulation.decisions import Decision
from simdistill.simulation.event_log.log import Entry, EventLog
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.parameters import Parameters
from simdistill.simulation.policies import Policy, RandomPolicy, with_streams
from simdistill.simulation.rollout import run_policy
from simdistill.simulation.streams import EPISODE, PLAN, TEST, SeedPath, Streams


class _Recording(ProcessModel):
    """A mixin that goes before a simulator's class and records every call of the base class's methods."""

    Params: ClassVar[Any]

    def __init__(self, *arguments: Any, **named: Any):
        self.record: list[Entry] = []
        super().__init__(*arguments, **named)

    def _note(self, event: str, name: str, values: dict, entities: dict | None = None) -> None:
        self.record.append(Entry(float(self.env.now), event, name, values, entities or {}))

    def log(self, activity: str, **entities: Any) -> None:
        self._note("activity", activity, {}, {kind: _several(which) for kind, which in entities.items()})

    def level(self, name: str, value: float) -> None:
        self._note("level", name, {"value": value})
        super().level(name, value)

    def tally(self, name: str, value: float) -> None:
        self._note("tally", name, {"value": value})
        super().tally(name, value)

    def charge(self, name: str, amount: float) -> None:
        self._note("charge", name, {"value": amount})
        super().charge(name, amount)

    def cost_rate(self, name: str, value: float) -> None:
        self._note("cost_rate", name, {"value": value})
        super().cost_rate(name, value)

    def answer(self, label: str) -> None:
        decision = self._put
        if decision is not None:
            legal = label in decision.labels
            values = {
                "choices": list(decision.labels),
                "choice": label if legal else self.fallback(decision),
                "state": self.observe_unchecked(decision),
                "cost": self.cost(),
            }
            if not legal:
                values["illegal_answer"] = str(label)
            self._note("decision", decision.question, values, _involved(decision))
        super().answer(label)


def _involved(decision: Decision) -> dict[str, list[str]]:
    about = decision.about if isinstance(decision.about, Mapping) else {}
    entities = {str(kind): _several(which) for kind, which in about.items()}
    return {**entities, "decider": [decision.decider]} if decision.decider else entities


def _several(which: Any) -> list[str]:
    return [str(one) for one in which] if isinstance(which, list | tuple | set) else [str(which)]


def recorded(simulator: type[ProcessModel]) -> type[ProcessModel]:
    """Returns the same simulator with an attribute `record` that holds the entries of the episode so far."""
    return type(simulator.__name__, (_Recording, simulator), {"__doc__": simulator.__doc__})


def follow_and_record(
    simulator: type[ProcessModel],
    params: Parameters | Mapping,
    policy: Policy,
    path: SeedPath,
    until: float = math.inf,
    time_unit: str = "minute",
    terminating: bool = False,
) -> EventLog:
    """Plays an episode and returns its log.

    Args:
        simulator: The process.
        params: Its parameters.
        policy: Decides.
        path: Seed path of the episode.
        until: Simulated time at which it is left.
        time_unit: What one unit of simulated time is.
        terminating: Whether the episode ends at `until`, so that its final cost falls due.
    """
    model: Any = recorded(simulator)(params, path)
    run_policy(model, with_streams(policy, Streams((*path, PLAN))), until)
    ended = model.ended
    time = model.env.now if ended else until
    cost = model.cost(time) + (model.finish(time) if ended or terminating else 0.0)
    return EventLog(simulator.__name__, model.params, model.seed_path, model.record, cost, time, time_unit)


def of_task(task: TaskConfig, policy: str | None, seed: int) -> EventLog:
    """Plays an episode of a task's default parameters.

    Args:
        task: The task; its episode is left after warm-up and horizon.
        policy: The simulator's policy that decides; None for the task's heuristic.
        seed: Root seed.

    Raises:
        InputError: If the simulator has no such policy.
    """
    policies = {**registry.policies(task.simulator), "random": RandomPolicy(Streams((seed,)))}
    name = policy or task.heuristic
    if name not in policies:
        raise InputError(registry.unknown("policy", name, policies))
    until, ends = task.warm_up + task.horizon, task.kind == "terminating"
    simulator, path = registry.load("simulators", task.simulator), (seed, TEST, EPISODE, 0)
    params, decides = task.parameters.default, policies[name]
    return follow_and_record(simulator, params, decides, path, until, task.time_unit, ends)
