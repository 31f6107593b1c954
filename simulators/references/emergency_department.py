"""The emergency department with enough beds in steady state: waits by formula, and the exact optimum.

Patients then wait only for one of several identical clinicians, and treatments are exponential. Costs are
linear in the waits, so the c-mu rule is optimal with one clinician (Cox and Smith, Queues, 1961, chapter 3),
and with several clinicians if all acuities have the same mean treatment time.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
from scipy import sparse

from simdistill.errors import InputError
from simdistill.mdp import DecisionProcess, fitting_size, optimum, tabulate
from simdistill.simulation import Experiment, KnownCase, Parameters
from simdistill.simulators.emergency_department import HOUR, EmergencyDepartment
from simdistill.simulators.references.erlang import Erlang

State = tuple[tuple[int, ...], tuple[int, ...]]
"""Numbers of patients waiting, and of patients with a clinician, per acuity."""

SIZES = (20, 40, 80, 160)
NEGLIGIBLE = 1e-6


def markov(params: Parameters | Mapping | None, size: int) -> DecisionProcess:
    """Returns the process of the numbers of waiting and treated patients; time is in minutes.

    At most `size` patients wait in all; a patient who arrives when `size` patients wait is lost. The states
    are the observations, but with zeros for the longest waits, which the process doesn't know: policies that
    use the longest waits can't be tabulated.

    Raises:
        InputError: If the number of beds is limited, or arrivals change by the hour.
    """
    parsed: Any = EmergencyDepartment.parse(params)
    if parsed.beds is not None or len(set(parsed.profile)) > 1:
        raise InputError("only a department with beds: null and a constant profile can be solved")
    arrivals_N = np.array(parsed.arrivals_per_hour) * parsed.profile[0] / HOUR
    treatment_N = 1 / np.array(parsed.treatment_min)
    rate = float(arrivals_N.sum() + parsed.clinicians * treatment_N.max())
    acuities = range(len(arrivals_N))
    empty: State = ((0,) * len(acuities), (0,) * len(acuities))

    def choices(state: State) -> list[int]:
        free = sum(state[1]) < parsed.clinicians
        return [k for k in acuities if state[0][k]] if free else []

    def changes(state: State) -> list[tuple[State, float]]:
        """Returns each state that may be reached by the next epoch, with its probability."""
        waiting, treated = state
        found = [
            ((_plus(waiting, k, 1), treated) if sum(waiting) < size else state, arrivals_N[k] / rate)
            for k in acuities
        ]
        found += [
            ((waiting, _plus(treated, k, -1)), treated[k] * treatment_N[k] / rate)
            for k in acuities
            if treated[k]
        ]
        return [*found, (state, 1 - sum(p for _, p in found))]

    index, order, moves = {empty: 0}, deque([empty]), [([], [], []) for _ in acuities]
    legal, cost = [], []
    while order:
        state = order.popleft()
        can = choices(state)
        legal.append([k in can if can else k == 0 for k in acuities])
        cost.append([0.0] * len(acuities))
        for k in can or [0]:
            after = (_plus(state[0], k, -1), _plus(state[1], k, 1)) if can else state
            cost[-1][k] = float(np.dot(parsed.weights, after[0])) / HOUR / rate
            for following, probability in changes(after):
                if following not in index:
                    index[following] = len(index)
                    order.append(following)
                for column, value in zip(
                    moves[k], (probability, len(legal) - 1, index[following]), strict=True
                ):
                    column.append(value)
    states = list(index)
    shape = (len(states), len(states))
    fixed = EmergencyDepartment(parsed).observe(None)  # type: ignore[arg-type]
    return DecisionProcess(
        states=[
            {
                **fixed,
                "waiting": list(waiting),
                "clinicians_free": parsed.clinicians - sum(treated),
                "beds_occupied": sum(treated),
            }
            for waiting, treated in states
        ],
        labels=[str(k + 1) for k in acuities],
        legal_SC=np.array(legal),
        moves=[sparse.csr_matrix((p, (row, column)), shape=shape) for p, row, column in moves],
        cost_SC=np.array(cost),
        time_SC=np.full((len(states), len(acuities)), 1 / rate),
        boundary_S=np.array([sum(waiting) >= size for waiting, _ in states]),
    )


def waits_by_formula(params: Any, policy: str) -> list[float] | None:
    """Returns the mean wait of each acuity in minutes, or None where there is no formula.

    There are formulas for one clinician, and for several if all acuities have the same mean treatment time.
    Fixed priorities: Cobham (1954). Accumulating priorities: Kleinrock (1964) and, with several servers,
    Sharif, Stanford, Taylor, Ziedins (2014). Both use the mean time until the first clinician is free, and
    the load of each acuity.
    """
    one, equal = params.clinicians == 1, len(set(params.treatment_min)) == 1
    if params.beds is not None or len(set(params.profile)) > 1 or not (one or equal):
        return None
    arrivals_N = np.array(params.arrivals_per_hour) * params.profile[0] / HOUR
    loads_N = arrivals_N * params.treatment_min / params.clinicians
    if loads_N.sum() >= 1:
        return None
    if one:
        first = float(loads_N @ params.treatment_min)
    else:
        line = Erlang(float(arrivals_N.sum()), params.treatment_min[0], params.clinicians)
        first = line.p_wait * params.treatment_min[0] / params.clinicians
    if policy in ("longest_wait", "accumulating_priority"):
        grows = np.array(params.weights) if policy == "accumulating_priority" else np.ones(len(loads_N))
        return _accumulating(first, loads_N, grows)
    index = {
        "acuity_first": -np.arange(len(loads_N)),
        "c_mu": params.weights / np.array(params.treatment_min),
    }
    return (
        _fixed(first, loads_N, np.argsort(-index[policy], kind="stable").tolist())
        if policy in index
        else None
    )


def experiment(case: KnownCase) -> Experiment:
    """Returns the experiment for a known case of the family `emergency_department`.

    The department has enough beds unless the case says otherwise. The measures are `mean_wait_<acuity>_min`
    and `cost_per_hour`. The policy `optimal` is only solved for, not simulated.
    """
    params: Any = EmergencyDepartment.parse({"beds": None, "boarding_min": 0.0, **case.parameters})
    name = case.policy["name"]
    formula = waits_by_formula(params, name)
    acuities = range(len(params.weights))
    waits = {f"mean_wait_{k + 1}_min": k for k in acuities}
    solved: dict[str, Any] = {"cost_per_hour": lambda: solution(params, name)[0] * HOUR}
    solved |= {measure: (lambda k=k: solution(params, name)[1][k]) for measure, k in waits.items()}
    if formula is not None:
        rates = np.array(params.arrivals_per_hour) * params.profile[0] / HOUR
        solved = {measure: (lambda wait=formula[k]: wait) for measure, k in waits.items()}
        solved["cost_per_hour"] = lambda: float(np.dot(rates * formula, params.weights))
    elif name not in ("optimal", "acuity_first", "c_mu"):
        solved = {}
    slack = 1 - min(0.98, params.load)
    start = {"waiting_at_start": tuple(5 * params.clinicians for _ in acuities)}
    return Experiment(
        params=params,
        policy=EmergencyDepartment.policies.get(name),
        measures={"cost_per_hour": lambda run: run.cost * HOUR},
        solved=solved,
        warm_up=10 * max(params.treatment_min) / slack**2 / params.clinicians,
        horizon=20_000 / sum(params.arrivals_per_hour) * HOUR,
        growing={"growth_rate": "waiting_room"} if params.load >= 1 else {},
        other_start=EmergencyDepartment.parse({**params.model_dump(), **start}),
    )


@lru_cache(maxsize=32)
def solution(params: Any, policy: str) -> tuple[float, list[float]]:
    """Returns the exact cost per minute and the mean wait of each acuity in minutes under a policy.

    Args:
        params: Parameters of the department.
        policy: `acuity_first`, `c_mu` or `optimal`.

    Raises:
        InputError: If the policy is another one, or the queues grow.
    """
    if policy not in ("acuity_first", "c_mu", "optimal"):
        raise InputError(f"{policy} can't be solved exactly; solvable are acuity_first, c_mu and optimal")

    tables = []

    def table(process: Any) -> np.ndarray:
        table_SC = tabulate(process, EmergencyDepartment.policies["c_mu" if policy == "optimal" else policy])
        tables.append(optimum(process, table_SC)[0] if policy == "optimal" else table_SC)
        return tables[-1]

    fitting = fitting_size(partial(markov, params), table, NEGLIGIBLE, SIZES)
    if fitting is None:
        raise InputError(f"the queues grow without bound, or exceed {SIZES[-1]} waiting patients too often")
    process, evaluation = fitting
    waiting_SN = np.array([state["waiting"] for state in process.states])
    asked_S = waiting_SN.any(axis=1) & np.array([state["clinicians_free"] > 0 for state in process.states])
    waiting_N = evaluation.stationary_S @ (waiting_SN - tables[-1] * asked_S[:, None])
    arrivals_N = np.array(params.arrivals_per_hour) * params.profile[0] / HOUR
    return evaluation.cost, (waiting_N / arrivals_N).tolist()


def _plus(numbers: tuple[int, ...], place: int, change: int) -> tuple[int, ...]:
    return (*numbers[:place], numbers[place] + change, *numbers[place + 1 :])


def _fixed(first: float, loads_N: np.ndarray, order: Sequence[int]) -> list[float]:
    """Returns the mean waits under fixed priorities (Cobham).

    Args:
        first: Mean time until the first clinician is free.
        loads_N: Load of each acuity.
        order: Acuities in the order of their priority.
    """
    waits, above = [0.0] * len(loads_N), 0.0
    for k in order:
        waits[k] = float(first / (1 - above) / (1 - above - loads_N[k]))
        above += loads_N[k]
    return waits


def _accumulating(first: float, loads_N: np.ndarray, grows_N: np.ndarray) -> list[float]:
    """Returns the mean waits if priority grows in proportion to the wait (Kleinrock).

    Args:
        first: Mean time until the first clinician is free.
        loads_N: Load of each acuity.
        grows_N: Growth rate of each acuity's priority.
    """
    waits_N = np.zeros(len(loads_N))
    for k in np.argsort(grows_N):
        slower, faster = grows_N < grows_N[k], grows_N > grows_N[k]
        overtaken = loads_N[slower] * waits_N[slower] * (1 - grows_N[slower] / grows_N[k])
        overtaking = loads_N[faster] * (1 - grows_N[k] / grows_N[faster])
        waits_N[k] = (first / (1 - loads_N.sum()) - overtaken.sum()) / (1 - overtaking.sum())
    return waits_N.tolist()
