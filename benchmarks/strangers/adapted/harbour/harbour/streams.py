"""Named random streams, for common random numbers across rules."""

import numpy as np
from simdistill import adapt


class Streams:
    """A generator for each name; the same seed and name give the same numbers in every experiment."""

    def __init__(self, seed: int):
        self.seed = seed
        self._generators: dict[str, np.random.Generator] = {}

    def __getitem__(self, name: str) -> np.random.Generator:
        if name not in self._generators:
            self._generators[name] = adapt.rng(None, name)
        return self._generators[name]
