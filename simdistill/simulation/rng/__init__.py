"""Random numbers in one line: drop-in generators whose i-th number belongs to its source and i alone."""

from simdistill.simulation.rng.generator import Generator
from simdistill.simulation.rng.shared import SharedGenerator, SharedRandom
from simdistill.simulation.rng.source import Source
from simdistill.simulation.rng.sources import Sources

__all__ = ["Generator", "SharedGenerator", "SharedRandom", "Source", "Sources"]
