"""The page about distributions: a row of its tables is one distribution, and its code prints what it says."""

import contextlib
import inspect
import io
import json
import math
import re
from itertools import pairwise
from pathlib import Path

import pytest
from scipy import stats

import simdistill
from simdistill.simulation import distributions
from simdistill.simulation.distributions import NAMED, accepted, mean_of, named, variance_of

TEXT = (Path(__file__).parents[2] / "docs" / "reference" / "distributions.md").read_text(encoding="utf-8")
ROWS = [line.strip("| ").split(" | ") for line in TEXT.splitlines() if line.startswith("| `")]
NAMES = {name: getattr(distributions, name) for name in distributions.__all__}
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)


def evaluated(cell: str, **names):
    """Returns the value of a cell's code."""
    known = {"stats": stats, "sqrt": math.sqrt, "log": math.log, "Γ": math.gamma}
    return eval(cell.strip("`"), known | names)


@pytest.mark.parametrize(("code", "mean", "spec", "scipys"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row_is_one_distribution(code, mean, spec, scipys):
    distribution = evaluated(code, **NAMES)
    assert named(json.loads(spec.strip("`"))) == distribution
    if mean.startswith("`"):
        fields = inspect.signature(distribution.__init__).parameters
        known = {name: getattr(distribution, name) for name in fields}
        assert distribution.mean == pytest.approx(evaluated(mean, **known))
    if scipys != "none":
        reference = accepted(evaluated(scipys))
        for u in (1e-6, 0.23, 0.51, 0.9, 1 - 1e-9):
            assert distribution.quantile(u) == pytest.approx(reference.quantile(u))
        for x in (0.5, 1.5, 2.5, 7.5):
            assert distribution.cdf(x) == pytest.approx(reference.cdf(x), abs=1e-14)
        moments = mean_of(reference), variance_of(reference)
        assert (mean_of(distribution), variance_of(distribution)) == pytest.approx(moments)


def test_the_tables_tell_all_names():
    assert {json.loads(row[2].strip("`"))["name"] for row in ROWS} == NAMED.keys() - {"erlang"}
    first = TEXT[: TEXT.index("Those in the second one")]
    told = {code.strip("`").split("(")[0] for code, *_ in ROWS if f"| {code} |" in first}
    assert told == NAMED.keys() & set(simdistill.__all__)


def runs() -> list[tuple[str, str]]:
    """The page's code that is followed by what it prints."""
    return [
        (code, output)
        for (kind, code), (following, output) in pairwise(BLOCKS)
        if (kind, following) == ("python", "text")
    ]


@pytest.mark.parametrize(("code", "output"), runs())
def test_the_code_prints_what_the_page_says(code, output):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {"__name__": "page"})
    assert printed.getvalue() == output


def test_every_output_belongs_to_code():
    assert len(runs()) == [kind for kind, _ in BLOCKS].count("text") == 3
