"""A game in the terminal: a person decides, then sees the teacher's choice and each choice's cost."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from simdistill import registry
from simdistill.config import RunConfig, TaskConfig, TeacherConfig
from simdistill.envs.prompts import Prompter
from simdistill.errors import InputError
from simdistill.runs.checking import check_tasks
from simdistill.simulation import EPISODE, TEST, Policy, ProcessModel
from simdistill.simulation.branching import Values, what_if
from simdistill.simulation.situations import Episode, Situation
from simdistill.teachers.demonstration import PolicyTeacher
from simdistill.teachers.loading import answers_itself, teacher_class
from simdistill.teachers.policies import named_policy
from simdistill.teachers.search import SearchTeacher

FUTURES = 200
"""Number of simulated futures for each choice: enough to tell most choices apart within a second."""


@dataclass
class Teacher:
    """The opponent in the game: a policy, or a what-if search that improves on the teacher's base policy.

    Attributes:
        simulator: The process model's class.
        policy: The policy that continues every simulated future; without search it is the opponent itself.
        searches: Whether the opponent makes the best simulated choice instead of the policy's choice.
        horizon: Initial simulated time of a future.
        until: Simulated time at which a terminating task ends; infinite for others.
    """

    simulator: type[ProcessModel]
    policy: Policy
    searches: bool
    horizon: float
    until: float = math.inf

    def values(self, situation: Situation, salt: int = 0) -> Values:
        """Returns the simulated cost of each choice."""
        return what_if(self.simulator, situation, self.policy, FUTURES, self.horizon, salt, self.until)

    def choice(self, values: Values) -> int:
        """Returns the teacher's choice as an index: the base policy's unless another is clearly better."""
        if not self.searches:
            return values.base
        # Costs are relative to the base policy's choice, whose cost and standard error are therefore 0.
        lead_C = values.mean_C + values.standard_error_C
        return int(lead_C.argmin())


@dataclass
class Score:
    """A comparison of a person's decisions with the teacher's.

    Attributes:
        decisions: Number of the person's decisions.
        agreed: Number of decisions that were the same as the teacher's.
        regrets: Mean cost of each decision above the teacher's choice, and its standard error.
    """

    decisions: int = 0
    agreed: int = 0
    regrets: list[tuple[float, float]] = field(default_factory=list)


def play(config: RunConfig, console: Console, ask: Callable[[str], str] = input) -> Score:
    """Plays one episode with a task's default parameters; the person may end it early with `q`.

    Args:
        config: Configuration with the task, the teacher and the seed to play.
        console: The console that shows the game.
        ask: Function that prints a question and returns the answer; an EOFError ends the game.
    """
    task = config.task
    simulator = registry.load("simulators", task.simulator)
    check_tasks(config, console)
    teacher = _teacher(simulator, task, config.teacher)
    language = Prompter(task.language)
    path = (config.seed, TEST, EPISODE, 0)
    model = simulator(task.parameters.default, path)
    score, episode = Score(), Episode(model)
    console.print(language.description, markup=False, highlight=False)
    console.print("[dim]q ends the game.[/dim]")
    end, ended = task.warm_up + task.horizon, True
    while (situation := episode.advance(end)) is not None:
        console.rule(
            f"{task.time_unit} {situation.time:.1f}, cost so far {model.cost():.1f} {task.cost_unit}"
        )
        console.print(language.situation(situation.state), markup=False, highlight=False)
        chosen = _answer(situation.choices, episode.question, console, ask)
        if chosen is None:
            ended = False
            break
        with console.status("what if…"):
            values = teacher.values(situation)
        best = teacher.choice(values)
        _show(situation.choices, values, chosen, best, task.cost_unit, console)
        score.decisions += 1
        score.agreed += chosen == best
        score.regrets.append(_difference(values, chosen, best))
        episode.answer(situation.choices[chosen])
    until = end if ended else model.env.now
    _summary(model, teacher, path, score, task, until, ended and task.kind == "terminating", console)
    return score


def _teacher(simulator: type[ProcessModel], task: TaskConfig, teacher: TeacherConfig) -> Teacher:
    found = teacher_class(teacher.name)
    if not issubclass(found, SearchTeacher | PolicyTeacher):
        kind = "a language model" if answers_itself(teacher.name) else "neither"
        raise InputError(
            f"teacher.name: play shows what a search or a policy would do, and {teacher.name} is {kind}; "
            "leave it out"
        )
    searches = issubclass(found, SearchTeacher)
    name = teacher.base if searches else teacher.name
    return Teacher(simulator, named_policy(task.simulator, name), searches, teacher.horizon, task.until)


def _answer(
    choices: tuple[str, ...], question: str, console: Console, ask: Callable[[str], str]
) -> int | None:
    """Asks until the answer is one of the choices; returns its index, or None if the person ends the game."""
    by_label = {label.lower(): index for index, label in enumerate(choices)}
    while True:
        try:
            answer = ask(f"{question} [{' / '.join(choices)}] ").strip().lower()
        except EOFError:
            return None
        if answer in by_label:
            return by_label[answer]
        if answer == "q":
            return None
        console.print(f"'{answer}' isn't one of {', '.join(choices)}; q ends the game.", markup=False)


def _difference(values: Values, chosen: int, best: int) -> tuple[float, float]:
    """Returns the mean difference of two choices' costs on the same futures, and its standard error."""
    difference_K = values.differences_CK[chosen] - values.differences_CK[best]
    error = float(difference_K.std(ddof=1) / math.sqrt(len(difference_K)))
    if values.doubt_C is not None and chosen != best:
        error = math.hypot(error, values.doubt_C[chosen], values.doubt_C[best])
    return float(difference_K.mean()), error


def _show(
    choices: tuple[str, ...], values: Values, chosen: int, best: int, unit: str, console: Console
) -> None:
    """Prints each choice's simulated cost relative to the teacher's choice."""
    table = Table("choice", f"{unit} more than the teacher's", "standard error", "", box=None)
    for index, label in enumerate(choices):
        mean, error = _difference(values, index, best)
        marks = [name for name, mine in (("you", index == chosen), ("teacher", index == best)) if mine]
        table.add_row(label, f"{mean:+.2f}" if index != best else "0", f"{error:.2f}", ", ".join(marks))
    console.print(table)


def _summary(
    model: ProcessModel,
    teacher: Teacher,
    path: tuple[int, ...],
    score: Score,
    task: TaskConfig,
    until: float,
    last: bool,
    console: Console,
) -> None:
    """Prints the costs of the person's and the teacher's decisions on the same random numbers.

    They are those up to a time, with the final cost if it is the `last` one of a terminating task.
    """
    if not score.decisions:
        console.print("No decision, no score.")
        return
    time = min(until, model.env.now) if model.ended else until
    mine = _cost(model, until, last)
    with console.status("the teacher plays the same episode…"):
        theirs = _teachers_cost(teacher, model, path, until, last)
    regret = sum(mean for mean, _ in score.regrets)
    error = math.sqrt(sum(error**2 for _, error in score.regrets))
    unit, relative = task.cost_unit, f" (you {(mine - theirs) / abs(theirs):+.1%})" if theirs else ""
    lines = [
        f"You decided {score.decisions} times until {task.time_unit} {time:.1f}, "
        f"{score.agreed} times as the teacher.",
        f"Cost: {mine:.1f} {unit}; the teacher on the same random numbers: {theirs:.1f}{relative}.",
        f"What your decisions cost in the long run, by what-if: {regret:+.2f} ± {error:.2f} {unit}.",
    ]
    console.rule("the end")
    console.print("\n".join(lines), markup=False, highlight=False)


def _cost(model: ProcessModel, until: float, last: bool) -> float:
    """Returns the cost up to a time, with the final cost if a terminating task ends then."""
    cost = model.cost(until)
    return cost + model.finish(until) if last else cost


def _teachers_cost(
    teacher: Teacher, played: ProcessModel, path: tuple[int, ...], until: float, last: bool
) -> float:
    """Returns the teacher's cost up to a time in an episode with the same parameters and random numbers."""
    episode = Episode(teacher.simulator(played.params, path))
    while (situation := episode.advance(until)) is not None:
        if teacher.searches:
            label = situation.choices[teacher.choice(teacher.values(situation))]
        else:
            label = teacher.policy(situation.state, situation.choices)
        episode.answer(label)
    return _cost(episode.model, until, last)
