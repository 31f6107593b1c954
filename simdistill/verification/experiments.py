"""Runs known cases in their simulators, and checks laws that hold for any simulator.

Steady state is by replication/deletion: independent replications without their warm-up (Law, Simulation
Modeling and Analysis, section 9.5.2). The experiment's warm-up is checked in two ways: MSER-5 on the pooled
output may ask for a later one, which is then used, and where the experiment has another starting state, both
must have come together.

**Laws.** A simulator offers them by the names that it gives to its own tallies and levels, with a suffix
where it has several kinds of entities (`in_system_patients`, `time_in_system_patients`, …):

- `self.level("in_system", n)`: how many entities are inside, whenever that changes;
- `self.tally("arrived", 1)`: an entity has come in (those turned away never were);
- `self.tally("time_in_system", t)`: an entity leaves, and how long it was inside; or `self.tally("left", n)`
  where nobody keeps the time, as for units of stock.

Little's law: mean number inside = throughput x mean time inside. Conservation: those there at the beginning
and those arrived have left or are still inside.
"""

import math
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from zlib import crc32

import numpy as np

from simdistill.config.settings import TaskConfig
from simdistill.errors import InputError, ProcessError
from simdistill.executors import Map
from simdistill.simulation import TEST, Experiment, KnownCase, Parameters, Policy, ProcessModel, Streams
from simdistill.simulation.known_case import Measure
from simdistill.simulation.policies import RandomPolicy, with_streams
from simdistill.simulation.replication import Replication, means
from simdistill.simulation.rollout import run_policy
from simdistill.simulation.streams import EPISODE, PLAN, SeedPath
from simdistill.verification.verdict import (
    PRECISE,
    SUFFICIENT,
    Estimate,
    Row,
    Verdict,
    mser5,
    of_means,
    of_ratio,
)

WINDOWS = 200
"""Windows of a replication in which MSER-5 looks for the beginning of the steady state."""

FIRST = 10
"""Replications of the first batch; fewer where they take most of the budget."""

SURELY = 3.0
"""Standard errors beyond which two starting states, or a beginning and the rest, differ."""

INSIDE, ARRIVED, TIMES, LEFT = "in_system", "arrived", "time_in_system", "left"
LITTLE, CONSERVATION = "Little's law", "conservation of entities"
LAW = "law"
"""Source of the rows that hold for any simulator."""

LOST = 1e-6
"""Entities that are floating-point noise, where they are amounts."""

LITTLE_TOLERANCE = 0.002
"""What the entities inside at both ends of a long replication may change in the ratio of Little's law."""

NAMED_COSTS = ("cost_rate", "cost_per_period", "total_cost")
"""Measures that are the model's own cost unless the experiment says otherwise."""


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


def run(items: Sequence[Item], compute: Map, done: Callable[[Item], None] = lambda item: None) -> list[Row]:
    """Runs all cases; `done` hears of each. The rows have no verdicts yet, except where a case failed."""
    rows: list[Row] = []
    for item, found in zip(items, compute(run_case, items), strict=True):
        rows += found
        done(item)
    return rows


def run_case(item: Item) -> list[Row]:
    """Solves and simulates one case."""
    rows: list[Row] = []
    try:
        experiment = item.experiment()
        rows += _rows(item, experiment)
        if experiment.policy is not None:
            simulation = Simulation(item, experiment, experiment.policy, *_windows(item, experiment))
            rows += _simulated(simulation, rows)
    except Exception as error:  # a case that fails mustn't keep the others from being verified
        failed = rows or [Row(item.name, item.case.id, "all", math.nan, 0.0, "")]
        for row in failed:
            row.verdict = Verdict.FAILED
        failed[0].notes.append(_told(error))
        return failed
    return rows


def _told(error: Exception) -> str:
    if isinstance(error, InputError | ProcessError | NotImplementedError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({place.filename}, line {place.lineno})"


def _rows(item: Item, experiment: Experiment) -> list[Row]:
    """One row for every known figure, or for every component of it, with the solver's value."""
    exact = {e["measure"] for e in item.case.expected if e["source"].startswith("exact")}
    solved: dict[str, Any] = {
        measure: experiment.solved[measure]()
        for measure in dict.fromkeys(e["measure"] for e in item.case.expected)
        if measure in experiment.solved
    }
    rows = []
    for expected in item.case.expected:
        measure, value, source = expected["measure"], expected["value"], expected["source"]
        for quantity, component, figure in _components(measure, value):
            row = Row(item.name, item.case.id, quantity, figure, expected["tolerance"], source)
            if measure in solved:
                row.solved = float(solved[measure] if component is None else solved[measure][component])
            row.exact_beside = not source.startswith("exact") and measure in exact
            row.growing = measure in experiment.growing
            rows.append(row)
    return rows


def _components(measure: str, value: float | Sequence[float]) -> Iterator[tuple[str, int | None, float]]:
    """Yields name, component and value of each number of an answer."""
    if isinstance(value, Sequence):
        for component, figure in enumerate(value):
            yield f"{measure}[{component}]", component, float(figure)
    else:
        yield measure, None, float(value)


@dataclass(frozen=True)
class Trajectory:
    """Sums of one replication at the edges of its windows. Axes: E edges, N names, sum and weight.

    Attributes:
        times_E: Simulated times.
        names: Levels, tallies and costs.
        totals_EN: The model's `totals` at each edge, shape (E, N, 2).
        cost_E: The model's cost at each edge, with the final cost at the last one.
        before: Levels at the beginning.
        after: Levels at the end.
        decisions: How many were taken.
        events: SimPy events.
        end: Simulated time at which it ended.
        illegal_answers: Answers that the fallback replaced.
    """

    times_E: np.ndarray
    names: tuple[str, ...]
    totals_EN: np.ndarray
    cost_E: np.ndarray
    before: dict[str, float]
    after: dict[str, float]
    decisions: int
    events: int
    end: float
    illegal_answers: int

    def between(self, name: str, first: int, last: int = -1) -> tuple[float, float]:
        """Returns sum and weight of a level, tally or cost between two edges."""
        if name not in self.names:
            return 0.0, 0.0
        column = self.names.index(name)
        total, weight = (self.totals_EN[last, column] - self.totals_EN[first, column]).tolist()
        return total, weight

    def replication(self, terminating: bool, first: int, last: int = -1) -> Replication:
        """Returns what a replication between two edges would report."""
        cost = float(self.cost_E[last] - self.cost_E[first])
        if not terminating:
            cost /= float(self.times_E[last] - self.times_E[first])
        measures = means(self._totals(first), self._totals(last))
        return Replication(cost, (), self.decisions, measures, self.end, self.illegal_answers)

    def _totals(self, edge: int) -> dict[str, tuple[float, float]]:
        return dict(zip(self.names, map(tuple, self.totals_EN[edge].tolist()), strict=True))


def simulate(
    simulator: type[ProcessModel], params: Parameters, policy: Policy, path: SeedPath, times_E: np.ndarray
) -> Trajectory:
    """Simulates one replication and notes its sums at the given times; the first is 0."""
    model = simulator(params, path)
    playing = with_streams(policy, Streams((*path, PLAN)))
    before, totals, costs, decisions = model.levels(), [model.totals(0.0)], [model.cost(0.0)], 0
    for time in times_E[1:].tolist():
        decisions += run_policy(model, playing, time)
        totals.append(model.totals(time))
        costs.append(model.cost(time))
    if model.ended:
        costs[-1] += model.final_cost()
    names = tuple(totals[-1])
    return Trajectory(
        times_E,
        names,
        np.array([[known.get(name, (0.0, 0.0)) for name in names] for known in totals]).reshape(
            -1, len(names), 2
        ),
        np.array(costs),
        before,
        model.levels(),
        decisions,
        model._events,
        model.env.now,
        model.illegal_answers,
    )


@dataclass
class Simulation:
    """The replications of one case, as many as its half-widths need. Axes: R replications, W windows.

    Attributes:
        item: The case.
        experiment: How it is simulated.
        policy: Decides.
        times_E: Edges of the windows.
        first: Edge at which the warm-up ends.
        trajectories: The replications so far.
    """

    item: Item
    experiment: Experiment
    policy: Policy
    times_E: np.ndarray
    first: int
    trajectories: list[Trajectory] = field(default_factory=list)

    @property
    def finite(self) -> bool:
        """Whether whole runs are averaged."""
        return _finite(self.item, self.experiment)

    def path(self, replication: int) -> SeedPath:
        """Seed path: every case has its own random numbers, always the same."""
        return (crc32(self.item.case.id.encode()), TEST, EPISODE, replication)

    def add(self, count: int) -> None:
        """Simulates further replications."""
        begun = len(self.trajectories)
        self.trajectories += [
            simulate(
                self.item.simulator, self.experiment.params, self.policy, self.path(number), self.times_E
            )
            for number in range(begun, begun + count)
        ]

    @property
    def events(self) -> int:
        """SimPy events of all replications."""
        return sum(trajectory.events for trajectory in self.trajectories)

    @property
    def names(self) -> set[str]:
        """Levels, tallies and costs that the replications have."""
        return {name for trajectory in self.trajectories for name in trajectory.names}

    def measured(self, measure: str) -> Measure | None:
        """Finds where a replication has a measure; None if nowhere."""
        found = self.experiment.measures.get(measure)
        if found is not None:
            return found
        for name in (measure, measure.removeprefix("mean_"), measure.removeprefix("p_")):
            if name in self.names:
                return name
        return (lambda replication: replication.cost) if measure in NAMED_COSTS else None

    def estimate(self, measure: Measure, component: int | None) -> Estimate:
        """Estimates a measure after the warm-up."""
        terminating = self.experiment.terminating
        if isinstance(measure, str) and not self.finite:
            sums_R, weights_R = np.array([t.between(measure, self.first) for t in self.trajectories]).T
            return of_ratio(sums_R, weights_R)
        values = [
            _value(measure, component, t.replication(terminating, self.first)) for t in self.trajectories
        ]
        values_R = np.array(values, dtype=float)
        return of_means(values_R[~np.isnan(values_R)])

    def growth(self, level: str) -> Estimate:
        """Estimates a level's growth per unit of time, from the end of the warm-up to that of the horizon."""
        last = len(self.times_E) - 1
        time = self.times_E[last] - self.times_E[self.first + 1]
        ends = [
            (t.between(level, last - 1, last), t.between(level, self.first, self.first + 1))
            for t in self.trajectories
        ]
        return of_means(np.array([(high[0] / high[1] - low[0] / low[1]) / time for high, low in ends]))

    def pooled(self, measure: Measure, component: int | None) -> np.ndarray:
        """Returns a measure in every window, pooled over the replications (W)."""
        edges = range(len(self.times_E) - 1)
        if isinstance(measure, str):
            totals_WRN = np.array(
                [[t.between(measure, edge, edge + 1) for t in self.trajectories] for edge in edges]
            )
            sums_W, weights_W = totals_WRN.sum(axis=1).T
            with np.errstate(invalid="ignore", divide="ignore"):
                values_W = sums_W / weights_W
        else:
            values_W = np.array(
                [
                    np.mean(
                        [
                            _value(measure, component, t.replication(False, e, e + 1))
                            for t in self.trajectories
                        ]
                    )
                    for e in edges
                ]
            )
        return np.where(np.isfinite(values_W), values_W, np.nanmean(values_W[np.isfinite(values_W)]))


def _windows(item: Item, experiment: Experiment) -> tuple[np.ndarray, int]:
    """Returns the edges of a replication's windows, and which of them ends the warm-up.

    In a steady state, windows are about as long before and after that edge.
    """
    warm_up, horizon = experiment.warm_up, experiment.horizon
    if _finite(item, experiment):
        return np.array([0.0, horizon]), 0
    warm = min(WINDOWS - 1, math.ceil(WINDOWS * warm_up / (warm_up + horizon)))
    after_E = warm_up + np.linspace(0.0, horizon, WINDOWS - warm + 1)
    return np.concatenate([np.linspace(0.0, warm_up, warm + 1)[:-1], after_E]), warm


def _finite(item: Item, experiment: Experiment) -> bool:
    """Whether whole runs are averaged, and not a steady state; some runs end before the process does."""
    return experiment.terminating or item.case.run.get("kind") == "terminating"


def _value(measure: Measure, component: int | None, replication: Replication) -> float:
    found: Any = (
        replication.measures.get(measure, math.nan) if isinstance(measure, str) else measure(replication)
    )
    return float(found if component is None else found[component])


def _simulated(simulation: Simulation, rows: Sequence[Row]) -> list[Row]:
    """Simulates a case, puts the estimates into its rows, and returns the rows of its laws."""
    experiment = simulation.experiment
    simulation.add(1)
    _estimate(simulation, rows)
    if all(row.tolerance == 0.0 and row.p_value == 1.0 for row in rows) and experiment.terminating and rows:
        return _laws(simulation)  # nothing random, and exactly right
    per_replication = max(1, simulation.events)
    simulation.add(min(FIRST, max(4, simulation.item.budget.most // per_replication)) - 1)
    _estimate(simulation, rows)
    while (more := _missing(simulation, rows, per_replication)) > 0:
        simulation.add(more)
        _estimate(simulation, rows)
    if not simulation.finite and not experiment.growing:
        _check_warm_up(simulation, rows)
    return _laws(simulation)


def _estimate(simulation: Simulation, rows: Sequence[Row]) -> None:
    """Estimates what the rows ask for, as far as the simulator measures it."""
    for row, measure, component in _measures(simulation, rows):
        growing = simulation.experiment.growing.get(_name(row))
        if growing is not None:
            row.simulated = simulation.growth(growing)
        elif measure is not None:
            row.simulated = simulation.estimate(measure, component)
        elif row.solved is None and not row.notes:
            row.notes.append(
                f"neither simulated nor solved; measured are {', '.join(sorted(simulation.names))}"
            )


def _name(row: Row) -> str:
    return row.quantity.partition("[")[0]


def _measures(
    simulation: Simulation, rows: Sequence[Row]
) -> Iterator[tuple[Row, Measure | None, int | None]]:
    """Yields each row with where a replication has it."""
    for row in rows:
        name, bracket, component = row.quantity.partition("[")
        yield row, simulation.measured(name), int(component[:-1]) if bracket else None


def _missing(simulation: Simulation, rows: Sequence[Row], per_replication: int) -> int:
    """Returns how many more replications the half-widths need and the budget allows."""
    count, spent, budget = len(simulation.trajectories), simulation.events, simulation.item.budget
    excesses = (
        (budget.cheap, max((_excess(row, PRECISE) for row in rows), default=0.0)),
        (budget.most, max((_excess(row, SUFFICIENT) for row in rows), default=0.0)),
        (budget.longest, max((_excess(row, row.share) for row in rows), default=0.0)),
    )
    for most, excess in excesses:
        if spent < most and excess > 1.0:
            # A tenth more than what the half-widths so far ask for, at most as many again as there are.
            needed = min(2 * count, math.ceil(1.1 * count * excess**2))
            return max(1, min(needed - count, (most - spent) // per_replication))
    return 0


def _excess(row: Row, share: float) -> float:
    """Half-width over what a share of the value allows; 0 where more replications wouldn't help."""
    allowed = row.allowed(share)
    if row.simulated is None or not math.isfinite(row.simulated.half_width) or allowed == 0.0:
        return 0.0
    return row.simulated.half_width / allowed


def _check_warm_up(simulation: Simulation, rows: Sequence[Row]) -> None:
    """Deletes more where MSER-5 asks for it; marks rows whose warm-up isn't long enough."""
    measured = [(row, m, component) for row, m, component in _measures(simulation, rows) if m is not None]
    asked = [_asked(simulation, measure, component) for _, measure, component in measured]
    later = max((deleted for deleted, limit in asked if not limit), default=0)
    if later > simulation.first:
        simulation.first = later
        _estimate(simulation, rows)
        for row, _, _ in measured:
            row.notes.append(f"warm-up {simulation.times_E[later]:g} by MSER-5")
    apart = _starts_apart(simulation, [(measure, component) for _, measure, component in measured])
    for number, (row, _, _) in enumerate(measured):
        if apart is not None and apart[number] > row.allowed(SUFFICIENT / 4):
            row.sound = False
            row.notes.append(f"two starting states still differ, by {apart[number]:.3g}: warm-up too short")
        elif apart is None and asked[number][1]:
            row.sound = False
            row.notes.append("MSER-5 finds no steady state within the horizon")


def _asked(simulation: Simulation, measure: Measure, component: int | None) -> tuple[int, bool]:
    """Returns which edge MSER-5 wants the warm-up to end at, and whether it finds no end.

    It only counts if what it would delete differs surely from the rest: in a steady state it deletes bursts.
    """
    first, (edge, limit) = simulation.first, mser5(simulation.pooled(measure, component))
    if edge <= first:
        return first, False
    parts = [(t.replication(False, first, edge), t.replication(False, edge)) for t in simulation.trajectories]
    difference_R = np.array([_value(measure, component, a) - _value(measure, component, b) for a, b in parts])
    found = of_means(difference_R[np.isfinite(difference_R)])
    return (edge, limit) if abs(found.mean) > SURELY * found.error else (first, False)


def _starts_apart(
    simulation: Simulation, measures: Sequence[tuple[Measure, int | None]]
) -> list[float] | None:
    """Returns by how much, at least, the other starting state moves each mean; None where there is none.

    Both starts meet the same random numbers. They are compared over as long a time after the warm-up as the
    warm-up takes, and the difference is spread over the horizon.
    """
    experiment, warm_up = simulation.experiment, float(simulation.times_E[simulation.first])
    if experiment.other_start is None or warm_up <= 0.0:
        return None
    times_E = np.array([0.0, warm_up, 2.0 * warm_up])
    values_SMR = []  # starts, measures, replications
    for params in (experiment.params, experiment.other_start):
        short = Simulation(simulation.item, replace(experiment, params=params), simulation.policy, times_E, 1)
        short.add(2 * FIRST)
        found = [trajectory.replication(False, 1) for trajectory in short.trajectories]
        values_SMR.append([[_value(m, component, one) for one in found] for m, component in measures])
    differences_MR = np.subtract(*np.array(values_SMR))
    estimates = [of_means(difference_R[np.isfinite(difference_R)]) for difference_R in differences_MR]
    share = min(1.0, warm_up / experiment.horizon)
    return [share * max(0.0, abs(e.mean) - SURELY * e.error) for e in estimates]


def _laws(simulation: Simulation) -> list[Row]:
    """Checks Little's law and conservation of entities in the replications of a case."""
    names = simulation.names
    kinds = [name.removeprefix(INSIDE) for name in sorted(names) if name.startswith(INSIDE)]
    kinds = [kind for kind in kinds if TIMES + kind in names or LEFT + kind in names]
    if not kinds:
        missing = [name for name in (INSIDE, TIMES, ARRIVED) if name not in names]
        note = f"the simulator has no {', '.join(missing)}; see simdistill.verification.experiments"
        rows = [_law(simulation, LITTLE, 1.0, 0.0), _law(simulation, CONSERVATION, 0.0, 0.0)]
        for row in rows:
            row.notes.append(note)
        return rows
    return [row for kind in kinds for row in (*_little(simulation, kind), *_conservation(simulation, kind))]


def _little(simulation: Simulation, kind: str) -> list[Row]:
    """Number inside over throughput x time inside; 1 in episodes that end empty, and in the long run."""
    episodes = [t for t in simulation.trajectories if t.after[INSIDE + kind] == 0]
    counted = episodes if simulation.finite else simulation.trajectories
    if not counted or simulation.experiment.growing or TIMES + kind not in simulation.names:
        return []
    inside_R = np.array([t.between(INSIDE + kind, simulation.first)[0] for t in counted])
    times_R = np.array([t.between(TIMES + kind, simulation.first)[0] for t in counted])
    if not times_R.any():
        return []  # all that came left at once
    row = _law(simulation, LITTLE + kind.replace("_", " "), 1.0, LITTLE_TOLERANCE)
    row.simulated = of_ratio(inside_R, times_R)
    return [row]


def _conservation(simulation: Simulation, kind: str) -> list[Row]:
    """Entities that came and neither left nor are inside, in the replication where that is worst."""
    row = _law(simulation, CONSERVATION + kind.replace("_", " "), 0.0, 0.0)
    if ARRIVED + kind not in simulation.names:
        row.notes.append(f"no {ARRIVED + kind}: the simulator doesn't tally arrivals")
        return [row]
    lost = [
        t.before.get(INSIDE + kind, 0.0)
        + t.between(ARRIVED + kind, 0)[0]
        - _left(t, kind)
        - t.after[INSIDE + kind]
        for t in simulation.trajectories
    ]
    worst = max(lost, key=abs)
    row.simulated = Estimate(0.0 if abs(worst) < LOST else worst, 0.0, len(lost))
    return [row]


def _left(trajectory: Trajectory, kind: str) -> float:
    if LEFT + kind in trajectory.names:
        return trajectory.between(LEFT + kind, 0)[0]
    return trajectory.between(TIMES + kind, 0)[1]


def _law(simulation: Simulation, law: str, value: float, tolerance: float) -> Row:
    return Row(simulation.item.name, simulation.item.case.id, law, value, tolerance, LAW)
