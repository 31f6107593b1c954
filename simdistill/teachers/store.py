"""A teacher on disk, as JSON: no pickles, so that a run's folder can be passed on."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from simdistill.envs.episodes import Failure
from simdistill.files import read_json, write_json
from simdistill.statistics import Estimate
from simdistill.teachers.cost_to_go import Regression
from simdistill.teachers.policies import base_policy
from simdistill.teachers.search import Generation, SearchTeacher
from simdistill.teachers.value_network import FittedPolicy


def save(teacher: SearchTeacher, path: Path, base: str) -> None:
    """Writes a teacher; `base` names the policy on which the first search stood."""
    policy = teacher.policy
    write_json(
        path,
        {
            "base": base,
            "policy": _plain(policy) if isinstance(policy, FittedPolicy) else None,
            "network": _plain(teacher.regression.network),
            "noise": _plain(teacher.regression.noise) if teacher.regression.noise else None,
            "spread": teacher.regression.spread,
            "demonstrates": teacher.demonstrates,
            "generations": [asdict(generation) for generation in teacher.generations],
            "failures": [asdict(failure) for failure in teacher.failures],
        },
    )


def load(path: Path, simulator: str) -> SearchTeacher:
    """Reads what `save` wrote."""
    plain = read_json(path)
    base = base_policy(simulator, plain["base"])
    policy = replace(_fitted(plain["policy"]), fallback=base) if plain["policy"] else base
    generations = [
        Generation(**{**generation, "improvement": Estimate(**generation["improvement"])})
        for generation in plain["generations"]
    ]
    regression = Regression(
        replace(_fitted(plain["network"]), fallback=base),
        _fitted(plain["noise"]) if plain.get("noise") else None,
        tuple(plain["spread"]) if plain["spread"] else None,
    )
    return SearchTeacher(
        policy,
        regression,
        tuple(generations),
        tuple(Failure(**failure) for failure in plain["failures"]),
        plain["demonstrates"],
    )


def _plain(policy: FittedPolicy) -> dict:
    return {
        "labels": list(policy.labels),
        "shift": policy.shift_F.tolist(),
        "stretch": policy.stretch_F.tolist(),
        "layers": [[weights.tolist(), biases.tolist()] for weights, biases in policy.layers],
        "scale": policy.scale,
    }


def _fitted(plain: dict) -> FittedPolicy:
    return FittedPolicy(
        tuple(plain["labels"]),
        np.array(plain["shift"]),
        np.array(plain["stretch"]),
        [(np.array(weights), np.array(biases)) for weights, biases in plain["layers"]],
        plain["scale"],
    )
