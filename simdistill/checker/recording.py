"""Records of a run: its random numbers, its decisions, and how it ended."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simdistill.simulation.distributions import AnyDistribution, Distribution, accepted
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.rng.draw import line_of_caller
from simdistill.simulation.rng.hidden import merged
from simdistill.simulation.rng.overheard import OverheardSources
from simdistill.simulation.rng.redrawn import Redrawn
from simdistill.simulation.rng.source import Numbered, Source
from simdistill.simulation.streams import SeedPath, Streams, World

Key = tuple[str, int, int]
"""Source, entity and visit of a random number."""


_WHOLE = (
    "choice",
    "dirichlet",
    "multinomial",
    "multivariate_hypergeometric",
    "multivariate_normal",
    "permutation",
    "permuted",
    "shuffle",
)
"""Methods whose arrays are one thing, and not so many numbers for later."""

RNG = -1
"""Stands in the key of a number that was drawn from a generator, where others have their visit."""


@dataclass(frozen=True)
class Draw:
    """A random number that a process took; `end` is when the duration that it makes is over.

    One that was drawn from a generator has its number for an entity, and no distribution.
    """

    key: Key
    distribution: Distribution | None
    end: float | None


class RecordingSources(OverheardSources):
    """Sources of `rng` that remember what was drawn from them.

    Args:
        streams: Where the numbers come from.
        draws: Gets the draws.

    Attributes:
        calls: Key of a draw -> method, arguments, and the line where it was drawn.
        arrays: Keys of draws of several numbers at once.
    """

    def __init__(self, streams: Numbered, draws: list[Draw]):
        super().__init__(streams)
        self._draws = draws
        self.calls: dict[Key, tuple[str, str, str]] = {}
        self.arrays: list[Key] = []

    def heard(self, source: Source, count: int, method: str, given: tuple, named: dict, value: Any) -> Any:
        key = (source.name, count, RNG)
        parts = [*map(_short, given), *(f"{name}={_short(argument)}" for name, argument in named.items())]
        words = ", ".join(parts)
        self.calls[key] = method, words, line_of_caller()
        if source.calls is None:
            source.calls = Counter()
        source.calls[method, words] += 1
        self._draws.append(Draw(key, None, None))
        if isinstance(value, np.ndarray) and value.size > 1 and method not in _WHOLE:
            self.arrays.append(key)
        return value


class RecordingWorld(World):
    """An episode's world that remembers what was drawn from it.

    Args:
        streams: The episode's streams.
        altered: Numbers that are to come out differently: key -> change of the uniform number.
        path: The seed path that the process sees, if it isn't that of the streams.
    """

    def __init__(
        self,
        streams: Streams,
        altered: Mapping[Key, Callable[[float], float]] | None = None,
        path: SeedPath | None = None,
    ):
        super().__init__(streams)
        self.path = path or self.path
        self.draws: list[Draw] = []
        self.rates: dict[str, set[float]] = defaultdict(set)
        self.ticks: set[float] = set()
        self._altered = altered or {}
        again = merged(
            [
                {key[:2]: (change(streams.uniform(*key[:2])), 1)}
                for key, change in self._altered.items()
                if key[2] == RNG
            ]
        )
        self.sources = RecordingSources(Redrawn(streams, streams, again), self.draws)

    def number(self, source: str, entity: int, distribution: AnyDistribution, visit: int = 0) -> float:
        key, taken = (source, entity, visit), accepted(distribution)
        self.draws.append(Draw(key, taken, None))
        if key in self._altered:
            return taken.quantile(self._altered[key](self.streams.uniform(*key)))
        return super().number(source, entity, taken, visit)

    def duration(
        self, source: str, entity: int, distribution: AnyDistribution, now: float, visit: int = 0
    ) -> float:
        taken = accepted(distribution)
        value = super().duration(source, entity, taken, now, visit)
        self.draws.append(Draw((source, entity, visit), taken, now + value))
        return value

    def tick(self, source: str, rate: float, now: float) -> float:
        self.rates[source].add(rate)
        point = super().tick(source, rate, now)
        self.ticks.add(now + (point - now))  # rounded as SimPy does
        return point


@dataclass(frozen=True)
class Step:
    """A decision of a run, as it was when the question was put.

    Attributes:
        time: Simulated time.
        question: The question.
        decider: Who decides.
        labels: The choices.
        state: The observed state as text.
        observed: What `observe` returned, the object itself.
        numbers: The numbers in the state.
        steady: Whether looking twice showed the same.
        cost: Cost so far.
        mark: What `fingerprint` returned.
        drawn: Random numbers taken so far.
        ages: Whether something under way has lasted for a time that matters and that isn't in `mark`.
        taken: The answer.
    """

    time: float
    question: str
    decider: str
    labels: tuple[str, ...]
    state: str
    observed: Any
    numbers: tuple[float, ...]
    steady: bool
    cost: float
    mark: Any
    drawn: int
    ages: bool
    taken: str

    @property
    def shown(self) -> tuple:
        """What two runs of one world have in common."""
        return self.time, self.question, self.labels, self.state, self.cost

    @property
    def asked(self) -> tuple:
        """The question and who is asked; two deciders may be asked in the same words."""
        return self.decider, self.question, self.labels


@dataclass
class Run:
    """What a run left.

    Attributes:
        steps: Its decisions.
        world: Where its random numbers came from.
        model: The process, None if it couldn't even be built.
        error: What ended it before its time.
        endless: Names of the processes that go on for ever after the last question.
        ended: Whether the process ended, or came to the end of its task.
        balances: Time, and per kind of entity those inside minus those arrived plus those gone, whenever time
            went on.
    """

    steps: list[Step] = field(default_factory=list)
    world: Any = None
    model: ProcessModel | None = None
    error: Exception | None = None
    endless: tuple[str, ...] = ()
    ended: bool = False
    balances: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    silent: float = 0  # events since the last question

    @property
    def draws(self) -> list[Draw]:
        return getattr(self.world, "draws", [])


def _short(argument: Any) -> str:
    """Returns an argument in words; an array or a list of many values by their number."""
    if isinstance(argument, np.ndarray):
        return f"<{argument.size} values>"
    return (
        f"<{len(argument)} values>"
        if isinstance(argument, list | tuple) and len(argument) > 6
        else repr(argument)
    )
