"""Whether a run depends on hashes of texts, which are others in every process: on `hash()`, on sets."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from dis import get_instructions
from types import CodeType

from simdistill.checker.failures import Found
from simdistill.checker.probe import Subject
from simdistill.checker.randomness import first_difference
from simdistill.checker.recording import Run, Step
from simdistill.simulation.functional import FunctionModel
from simdistill.simulation.model import ProcessModel

SECONDS = 20.0
"""Wall time that the other process gets."""

_NAMES = frozenset(("set", "frozenset", "hash"))
_OPCODES = frozenset(("BUILD_SET", "SET_ADD", "SET_UPDATE"))

_PROGRAM = """
import pickle, sys
sys.path[:], task = pickle.load(sys.stdin.buffer)
from simdistill.checker.hashing import answer
answer(task)
"""


def hashes(subject: Subject) -> Found:
    """Compares a run with one of a process in which texts have other hashes, where a model has sets."""
    run = subject.main
    if run.error is not None or not run.steps or not any(map(_hashing, _codes(subject.simulator))):
        return
    other = _elsewhere(subject)
    if other is None:
        yield (
            "whether the run depends on the order of a set or on hash() wasn't compared: the model couldn't "
            "be run in a process of its own"
        )
    elif (difference := first_difference(run, other)) is not None:
        yield (
            "the run depends on the order of a set or on hash(), which differ in every process: "
            f"{difference}",
            "sort what is taken from a set, as in sorted(waiting) or min(waiting), or keep it in a list or a "
            "dict; in place of hash() number things as the world does",
        )


def answer(task: bytes) -> None:
    """What the other process does: it plays the run, and writes its decisions to standard output."""
    out, sys.stdout = sys.stdout.buffer, sys.stderr
    simulator, params, seed, until, split = pickle.loads(task)
    run = Subject(simulator, params, seed, False, until, split).main
    out.write(pickle.dumps([_portable(step) for step in run.steps]))
    out.flush()


def _elsewhere(subject: Subject) -> Run | None:
    """Plays the main run in another process; None if that can't be."""
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    try:
        given = subject.simulator, subject.params, subject.seed, subject.until, subject.split
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            input=pickle.dumps((sys.path, pickle.dumps(given))),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONHASHSEED": seed},
            timeout=min(SECONDS, max(0.1, subject.limit.left)),
            check=True,
        )
        return Run(steps=pickle.loads(done.stdout))
    except (subprocess.SubprocessError, pickle.PickleError, AttributeError, EOFError, TypeError):
        return None


def _portable(step: Step) -> Step:
    """A decision without what needn't be sent, or can't be."""
    return replace(step, observed=None, mark=None)


def _codes(simulator: type[ProcessModel]) -> Iterator[CodeType]:
    """The code that the author wrote into the modules of the model and of the classes that it is made of."""
    own = simulator.__mro__[: simulator.__mro__.index(ProcessModel)]
    for name in dict.fromkeys(kind.__module__ for kind in own if kind is not FunctionModel):
        module = sys.modules.get(name)
        things = [] if module is None else [*vars(module).values()]
        things += [getattr(simulator, "function", None), *own]
        parts = [part for thing in things if isinstance(thing, type) for part in vars(thing).values()]
        for thing in (*things, *parts):
            code = getattr(getattr(thing, "__func__", thing), "__code__", None)
            if isinstance(code, CodeType) and code.co_filename == getattr(module, "__file__", None):
                yield from _nested(code)


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _hashing(code: CodeType) -> bool:
    """Whether code makes sets or calls `hash`."""
    if _NAMES & {*code.co_names}:
        return True
    return any(instruction.opname in _OPCODES for instruction in get_instructions(code))
