"""The test tree is out of reach of teaching and training."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from simdistill.executors import Item, Map, Result
from simdistill.simulation.streams import without_tests


def training(compute: Map) -> Map:
    """Returns a `map` whose functions can't draw from the test tree, in whichever process they run."""

    def apart(function: Callable[[Item], Result], items: Iterable[Item], /) -> Iterator[Result]:
        return compute(partial(_without_tests, function), items)

    return apart


def _without_tests(function: Callable[[Item], Result], item: Item) -> Result:
    with without_tests():
        return function(item)
