"""Messages of a report in the words of function-style models, whose authors write no `self.`."""

import re

from simdistill.simulation.functional import FunctionModel
from simdistill.simulation.model import ProcessModel

_CALLS = "duration|poisson|draw|rng|decide|choose|cost_rate|charge|level|tally|final_cost|fingerprint"
_LINE = re.compile(r" \([^()]*, line \d+: ")

_REPLACED = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"keep what changes on self, set in build\(\), not on the class or in the module",
         "keep what changes in variables of the model's function, not in the module"),
        (r"let fingerprint\(\) contain it", "let what is given to fingerprint(env, …) return it"),
        (r"list\(self\.(\w+)\)", r"list(\1)"),
        (r"set max_choices \(a number, or a property of the parameters\)",
         "set process_model(…, max_choices=…)"),
        (r"leave answer\(\) as it is, and override fallback\(decision\) instead", "leave answer() as it is"),
        (r"\bself\.env\b", "env"),
        (rf"(?:\bself\.)?\b({_CALLS})\(\)", r"\1(env, …)"),
        (rf"\bself\.({_CALLS})\(", r"\1(env, "),
        (r"\bobserve\(\)", "the state's function"),
        (r"\bbuild\(\)", "the model's function"),
    )
)  # fmt: skip


def worded(text: str, simulator: type[ProcessModel]) -> str:
    """Returns a message in the words of the style in which a simulator is written.

    Args:
        text: Message in the words of a class; a quoted line of the author's code stays as it is.
        simulator: The checked process model.
    """
    if not issubclass(simulator, FunctionModel):
        return text
    line = _LINE.search(text)
    own = "" if line is None else text[line.start() :]
    text = text[: len(text) - len(own)]
    for pattern, words in _REPLACED:
        text = pattern.sub(words, text)
    return text + own
