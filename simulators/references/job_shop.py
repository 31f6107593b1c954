"""References for job shops: schedules calculated without SimPy, and bounds by constraint programming."""

from collections.abc import Mapping, Sequence
from functools import partial

from simdistill.errors import InputError
from simdistill.simulation import Experiment, KnownCase, Policy, letters
from simdistill.simulators.job_shop import RULES, SHIPPED, JobShop, Operation, Routes, least, load

OPTIMA: Mapping[str, int] = {"ft06": 55, "ft10": 930, "ft20": 1165, "la01": 666}
"""Optimal makespans in minutes (Jain and Meeran, EJOR 113, 1999, table 1)."""


def last_come_first_served(state: dict, choices: Sequence[str]) -> str:
    """Takes the job that arrived last at the machine (LIFO)."""
    return least(state, choices, state["waited"])


def least_work_remaining(state: dict, choices: Sequence[str]) -> str:
    """Takes the job with the least work remaining, including the operation at this machine (LWKR)."""
    return least(state, choices, state["work"])


def fewest_operations_remaining(state: dict, choices: Sequence[str]) -> str:
    """Takes the job with the fewest operations remaining, including the one at this machine (LOPNR)."""
    return least(state, choices, state["operations"])


FURTHER_RULES: Mapping[str, Policy] = {
    "LIFO": last_come_first_served,
    "LWKR": least_work_remaining,
    "LOPNR": fewest_operations_remaining,
}


def ties_to_the_last(rule: Policy, state: dict, choices: Sequence[str]) -> str:
    """Applies a rule that breaks ties in favour of the first job, but breaks them in favour of the last."""
    mirrored = {name: value[::-1] if isinstance(value, list) else value for name, value in state.items()}
    return rule(mirrored, choices)


def makespan(routes: Routes, rule: Policy) -> float:
    """Returns the makespan of an instance under a rule without breakdowns, in minutes."""
    return dispatch([list(route) for route in routes], set(), [0.0] * len(routes), rule)


def remaining_time(state: dict, rule: Policy) -> float:
    """Returns the minutes from an observed state until all jobs are done under a rule, without breakdowns."""
    cards = [[step.rstrip("*").split(":") for step in card.split()] for card in state["cards"]]
    rest = [[(int(machine), float(minutes)) for machine, minutes in card] for card in cards]
    working = {job for job, card in enumerate(state["cards"]) if "*" in card}
    return dispatch(rest, working, [-waited for waited in state["waited"]], rule)


def dispatch(rest: list[list[Operation]], working: set[int], since: list[float], rule: Policy) -> float:
    """Makes a non-delay schedule; machines that are free at the same time start in order of their numbers.

    Args:
        rest: Remaining operations of each job; the lists are emptied.
        working: Jobs whose first operation is in progress at time 0; its minutes are the remaining ones.
        since: Time at which each job arrived at its machine.
        rule: Policy that decides.

    Returns:
        The time at which the last job is done.
    """
    names, now = letters(len(rest)), 0.0
    ends = {rest[job][0][0]: (rest[job][0][1], job) for job in working}
    while any(rest):
        under_way = {job for _, job in ends.values()}
        for machine in sorted(
            {ops[0][0] for job, ops in enumerate(rest) if ops and job not in under_way} - set(ends)
        ):
            here = [j for j, ops in enumerate(rest) if ops and j not in under_way and ops[0][0] == machine]
            state = {
                "jobs": names,
                "duration": [ops[0][1] if job in here else 0 for job, ops in enumerate(rest)],
                "waited": [now - arrival for arrival in since],
                "work": [sum(minutes for _, minutes in ops) for ops in rest],
                "operations": [len(ops) for ops in rest],
            }
            job = names.index(rule(state, [names[job] for job in here]))
            ends[machine] = (now + rest[job][0][1], job)
            if ends[machine][0] == now:
                break  # an operation of 0 minutes ends before the next machine's decision
        now = min(end for end, _ in ends.values())
        for machine in [machine for machine, (end, _) in ends.items() if end == now]:
            _, job = ends.pop(machine)
            rest[job].pop(0)
            since[job] = now
    return now


def best_rule(routes: Routes, rules: Mapping[str, Policy] = RULES) -> Policy:
    """Returns the rule with the shortest makespan."""
    return min(rules.values(), key=partial(makespan, routes))


def bounds(routes: Routes, seconds: float = 10.0) -> tuple[int, int]:
    """Searches for the shortest schedule with OR-Tools CP-SAT; durations are whole minutes.

    Args:
        routes: The instance.
        seconds: Time limit of the search.

    Returns:
        A lower bound of the makespan, and the makespan of a schedule; equal if it is optimal.

    Raises:
        InputError: If OR-Tools isn't installed, or no schedule was found in time.
    """
    try:
        from ortools.sat.python import cp_model  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError("bounds need OR-Tools; install it with: pip install ortools") from None
    model = cp_model.CpModel()
    horizon = int(sum(minutes for route in routes for _, minutes in route))
    end = model.new_int_var(0, horizon, "end")
    machines = [[] for _ in routes[0]]
    for route in routes:
        ready = 0
        for machine, minutes in route:
            start = model.new_int_var(0, horizon, "")
            model.add(start >= ready)
            machines[machine].append(model.new_fixed_size_interval_var(start, int(minutes), ""))
            ready = start + int(minutes)
        model.add(end >= ready)
    for intervals in machines:
        model.add_no_overlap(intervals)
    model.minimize(end)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds, solver.parameters.num_workers = seconds, 1
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        raise InputError(f"no schedule of {len(routes)} jobs was found in {seconds:g} seconds; allow more")
    return round(solver.best_objective_bound), round(solver.objective_value)


def experiment(case: KnownCase) -> Experiment:
    """Returns the experiment for a known makespan.

    Raises:
        InputError: If the instance can't be read, or the rule or the way to break ties is unknown.
    """
    instance = (case.folder or SHIPPED.parent) / case.parameters["instance"]
    params = JobShop.parse({"instance": str(instance)})
    routes = load(str(instance))
    rules = {**RULES, **FURTHER_RULES}
    ties = case.conventions.get("ties", "lowest job index")
    match ties.split():
        case ["lowest", *_]:
            pass
        case ["highest", *_]:
            rules = {name: partial(ties_to_the_last, rule) for name, rule in rules.items()}
        case _:
            raise InputError(f"{case.id}: ties are broken by lowest or highest job index, not by {ties!r}")
    name = case.policy["name"].upper().replace(" ", "_")
    if name == "BEST_OF_RULES":
        rule = best_rule(routes, {name: rules[name] for name in RULES})
    elif name in rules:
        rule = rules[name]
    else:
        raise InputError(
            f"{case.id}: unknown rule {case.policy['name']!r}; known: {', '.join(rules)} and best_of_rules"
        )
    return Experiment(
        params,
        rule,
        solved={"makespan": partial(makespan, routes, rule)},
        horizon=sum(minutes for route in routes for _, minutes in route),
        terminating=True,
    )
