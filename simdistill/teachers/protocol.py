"""Interface of teachers, and the lesson that a teacher hands over.

    class Greedy:
        def __init__(self, config, seed): ...

        def teach(self, task, compute, progress):
            return demonstrate(task, self.config, self.seed, my_policy, compute, progress)

Registered as `simdistill.register("greedy", "my_module:Greedy", kind="teachers")`, or in the entry points
`simdistill.teachers`, it teaches runs with `teacher=greedy`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from simdistill.config import TaskConfig, TeacherConfig
from simdistill.envs.episodes import Failure
from simdistill.executors import Map
from simdistill.files import read_json, write_json
from simdistill.progress import Progress
from simdistill.simulation import Policy
from simdistill.statistics import Estimate
from simdistill.teachers import store
from simdistill.teachers.cost_to_go import Labels, Regression, Searched

FILE = "teacher.json"


@dataclass(frozen=True)
class Generation:
    """One step of policy improvement.

    Attributes:
        number: Number of the generation, from 1.
        accepted: Whether the paired comparison shows an improvement.
        improvement: Relative change of cost from the policy before; negative is better.
        states: Number of searched states.
        decisions: Number of decisions that the search simulated.
        coupled: Share of futures in which all branches reached the same state again.
        unsettled: Number of searched states in which even the longest horizon couldn't tell what some choice
            costs.
    """

    number: int
    accepted: bool
    improvement: Estimate
    states: int
    decisions: int
    coupled: float
    unsettled: int = 0


@dataclass(frozen=True)
class Lesson:
    """A teacher's result: searched states with labels, and a regression that labels further states.

    Attributes:
        simulator: Name of the simulator.
        policy: The best policy found, fast enough for rollouts.
        regression: Regression fitted to the simulated values of the searched states.
        searched: Searched states; empty in a lesson that was loaded.
        labels: Labels of the searched states; empty in a lesson that was loaded.
        generations: Results of all generations of the search.
        failures: Episodes in which the simulated process failed.
        demonstrated: Policy whose own choices are the answers; None if the answers are the choices of least
            cost.
    """

    simulator: str
    policy: Policy
    regression: Regression
    searched: Sequence[Searched] = ()
    labels: Labels = field(default_factory=Labels.none)
    generations: tuple[Generation, ...] = ()
    failures: tuple[Failure, ...] = ()
    demonstrated: Policy | None = None

    def label(self, searched: Sequence[Searched]) -> Labels:
        """Labels further searched states, to which the regression wasn't fitted."""
        return self.regression.label(searched)

    def save(self, folder: Path) -> None:
        """Writes the lesson without its searched states; it is JSON, so a run's folder is safe to share.

        Raises:
            InputError: A policy can't be saved.
        """
        regression, base = self.regression, self.regression.network.fallback
        keep = partial(store.kept_policy, simulator=self.simulator, base=base)
        own = None if self.demonstrated is self.policy else self.demonstrated
        kept = {
            "base": None if base is None else store.kept_policy(base, self.simulator),
            "policy": None if self.policy is base else keep(self.policy),
            "network": store.kept_network(regression.network),
            "noise": regression.noise and store.kept_network(regression.noise),
            "spread": regression.spread,
            "demonstrates": self.demonstrated is not None,
            "demonstrated": None if own is None else keep(own),
            "generations": [asdict(generation) for generation in self.generations],
            "failures": [asdict(failure) for failure in self.failures],
        }
        write_json(folder / FILE, kept)

    @classmethod
    def load(cls, folder: Path, simulator: str) -> "Lesson":
        """Reads what `save` wrote.

        Raises:
            InputError: A policy doesn't exist any more.
        """
        plain = read_json(folder / FILE)
        base = plain["base"] and store.policy(plain["base"], simulator)
        policy = store.policy(plain["policy"], simulator, base) if plain["policy"] else base
        demonstrated = policy if plain["demonstrates"] else None
        if plain.get("demonstrated"):
            demonstrated = store.policy(plain["demonstrated"], simulator, base)
        regression = Regression(
            store.network(plain["network"], base),
            store.network(plain["noise"]) if plain.get("noise") else None,
            tuple(plain["spread"]) if plain["spread"] else None,
        )
        return cls(
            simulator,
            policy,
            regression,
            generations=tuple(map(_generation, plain["generations"])),
            failures=tuple(Failure(**failure) for failure in plain["failures"]),
            demonstrated=demonstrated,
        )


class Teacher(Protocol):
    """A teacher: an object that searches states of a task and hands over a lesson.

    Its class may define its settings as `Config`, a subclass of `TeacherConfig`. A teacher may also have

    - `check(questions)`, which raises `InputError` if the teacher can't teach. A run calls it with some
      of its questions before anything is simulated.
    - `answer(questions, progress) -> list[Question]`, which returns the questions with the teacher's answers
      in place of the lesson's, without questions that the teacher can't answer. It calls
      `progress(done, total)` while it works.
    - `policy(prompter) -> Policy`, which returns a policy that decides as the teacher answers. A run then
      examines this policy in place of the lesson's policy.
    - `made_by`, checksums of everything that determines the teacher's answers: JSON values by name. A stopped
      run can't be resumed after one of them has changed.
    """

    def __init__(self, config: TeacherConfig, seed: int): ...

    def teach(self, task: TaskConfig, compute: Map, progress: Progress) -> Lesson:
        """Searches states and labels them.

        Args:
            task: The task.
            compute: Function that runs simulations.
            progress: Function that shows a phase's progress.
        """
        ...


def _generation(plain: dict) -> Generation:
    coupled = plain.pop("met") if "met" in plain else plain.pop("coupled")
    return Generation(**plain | {"improvement": Estimate(**plain["improvement"]), "coupled": coupled})
