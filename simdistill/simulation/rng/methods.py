"""Names of the methods that draw, of numpy's generators and of Python's."""

import random

import numpy as np

NUMPY = tuple(
    name
    for name in dir(np.random.Generator)
    if not name.startswith("_") and name not in ("bit_generator", "spawn")
)
"""Methods of `numpy.random.Generator` that draw."""

PYTHON = tuple(
    name
    for name in dir(random.Random)
    if not name.startswith("_") and name not in ("VERSION", "getstate", "seed", "setstate")
)
"""Methods of `random.Random` that draw."""
