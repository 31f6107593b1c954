"""The how-to: its commands print what stands below them, and its code is the example's."""

import re
import shlex
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "how-to" / "validate.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)


def test_the_function_is_shown_as_it_is():
    (shown,) = blocks("python")
    assert (DOCS / "examples" / "validate" / "original.py").read_text().endswith(shown)


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 1])
def test_a_command_prints_what_stands_below_it(bank, call, place):
    program, verb, *arguments = shlex.split(blocks("sh")[place])
    assert (program, verb) == ("simdistill", "validate")
    result = call(*arguments)
    assert result.exit_code == place
    printed = "".join(f"{line.rstrip()}\n" for line in result.stdout.splitlines())
    assert printed == blocks("text")[place]
