"""A check that a model's class, parameters and policies can be sent to worker processes."""

import pickle
from importlib import import_module
from operator import attrgetter

from simdistill.checker.failures import Found
from simdistill.checker.probe import Subject
from simdistill.simulation.decisions import WAIT
from simdistill.simulation.functional import FunctionModel
from simdistill.simulation.model import ProcessModel
from simdistill.simulation.policies import unsendable


def workers(subject: Subject) -> Found:
    """Finds what keeps a process out of worker processes, and notes questions without a choice."""
    simulator = subject.simulator
    named = f"{simulator.__module__}:{simulator.__qualname__}"
    if simulator.__module__ == "__main__":
        yield (
            f"{named} can't be imported; move the class into a file of its own, so that worker processes "
            "find it"
        )
    elif (problem := _not_found(simulator)) is not None:
        yield f"{named} can't be sent to worker processes: {problem[0]}", problem[1]
    else:
        try:
            pickle.dumps(subject.params)
        except Exception as error:
            yield (
                f"the parameters of {named} can't be sent to worker processes: {error}",
                "define Params in the class or in its module, and take numbers, text and lists of these as "
                "parameters",
            )
    yield from unsendable(simulator.policies)
    if any(step.labels == (WAIT,) for step in subject.main.steps):
        yield f"some questions offer {WAIT!r} alone; they are put again and again"


def _not_found(simulator: type[ProcessModel]) -> tuple[str, str] | None:
    """Returns why a class isn't found by its name, and what to do; None if it is found."""
    function = issubclass(simulator, FunctionModel)
    if "<locals>" in simulator.__qualname__:
        return "it is defined in a function", "define it at the top of a file"
    try:
        module = import_module(simulator.__module__)
    except ImportError as error:
        return f"its module can't be imported ({error})", "put the file where Python finds it"
    if function:
        if any(thing is simulator for thing in vars(module).values()):
            return None
        return (
            f"no name of its module {simulator.__module__} stands for it",
            "call process_model() at the top of a file, and give what it returns a name there, as in "
            "Clinic = process_model(clinic)",
        )
    try:
        found = attrgetter(simulator.__qualname__)(module)
    except AttributeError:
        found = None
    if found is simulator:
        return None
    there = "nothing" if found is None else f"something else, {found!r}"
    return (
        f"{simulator.__qualname__} in its module {simulator.__module__} stands for {there}",
        "let the class keep its name: don't use the name again, and don't wrap the class in something else",
    )
