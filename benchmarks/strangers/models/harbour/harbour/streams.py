"""Named random streams, for common random numbers across rules."""

import zlib

import numpy as np


class Streams:
    """A generator for each name; the same seed and name give the same numbers in every experiment."""

    def __init__(self, seed: int):
        self.seed = seed
        self._generators: dict[str, np.random.Generator] = {}

    def __getitem__(self, name: str) -> np.random.Generator:
        if name not in self._generators:
            key = (self.seed, zlib.crc32(name.encode()))
            self._generators[name] = np.random.default_rng(key)
        return self._generators[name]
