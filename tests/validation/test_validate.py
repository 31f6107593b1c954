"""Originals and adapted models side by side: verdicts, exit codes, inputs that are refused."""

import json
import random
import re
import sys

import numpy as np
import pytest

from simdistill.validation.page import write_page
from simdistill.validation.subject import simulate, subject
from simdistill.validation.validate import validate

UNTIL = ("--until", 480)

FUNCTION_MODEL = """
import itertools
from simdistill import exponential
from simdistill.adapt import charge, decide, duration, figures, final_cost, level, process_model, tally

def shop(env, price: float = 2.0):
    sold = []
    def customers():
        for number in itertools.count():
            yield duration(env, "arrival", number, exponential(1.0))
            if (yield decide(env, "Sell?", ["yes", "no"], lambda: {"sold": len(sold)})) == "yes":
                sold.append(env.now)
                charge(env, "effort", price)
                tally(env, "early", env.now < 5)
                level(env, "half", 0.5)
    figures(env, lambda: {"last sale": sold[-1], "now": env.now, "decisions": -1})
    final_cost(env, lambda: 100.0)
    return customers()

def always(state, choices):
    return "yes"

def wrong(state, choices):
    return "perhaps"

Shop = process_model(shop, policies={"always": always, "wrong": wrong})
Plain = process_model(shop)
"""


def test_an_original_may_have_the_file_names_of_the_adapted_model(bank, call, tmp_path):
    """So may the modules that it imports."""
    folder = tmp_path / "authors"
    folder.mkdir()
    (folder / "bank.py").write_text(
        "from settings import SERVED\ndef figures(number):\n    return {'served': SERVED + number}\n"
    )
    (folder / "settings.py").write_text("SERVED = 7.0\n")
    (tmp_path / "settings.py").write_text("SERVED = None\n")
    sys.path.insert(0, str(tmp_path))
    import settings  # pyright: ignore[reportMissingImports]

    result = call("bank.py:Bank", "--against", f"{folder}/bank.py:figures", *UNTIL, "--replications", 4)
    assert result.exit_code == 1 and "served" in result.stdout, result.output + result.stderr
    assert sys.modules["settings"] is settings and settings.SERVED is None
    sys.path.remove(str(tmp_path))
    del sys.modules["settings"]


def test_an_adapted_model_that_equals_the_original(bank, call, tmp_path):
    page, table = tmp_path / "page.html", tmp_path / "found" / "table.json"
    arguments = ("--replications", 60, "--margin", 0.1, "-o", page, "--json", table)
    result = call("bank.py:Bank", "--against", "original.py:figures", *UNTIL, *arguments)
    assert result.exit_code == 0, result.output
    assert "is equivalent to original.py:figures; of 2 figures: 2 equivalent" in result.stdout
    assert "only in the model: in bank, in bank_total" in result.stdout
    assert "customer" not in result.stdout  # what the original prints
    found = json.loads(table.read_text())
    assert found["equivalent"] and found["policy"] == "shorter_line" and found["until"] == 480
    assert [one["figure"] for one in found["figures"]] == ["time in bank", "served"]
    assert all(one["verdict"] == "equivalent" for one in found["figures"])
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 2 and "time in bank" in text
    assert not re.search(r'(src|href)="http|<script|url\(http', text)


def test_a_service_that_takes_5_percent_longer(bank, call):
    result = call("bank.py:SlowBank", "--against", "original.py:figures", *UNTIL, "--replications", 80)
    assert result.exit_code == 1
    assert re.search(r"time in bank .* different", result.stdout)
    assert "bank.py:SlowBank under 'shorter_line' differs from" in result.stdout


def test_too_few_replications(bank, call):
    result = call("bank.py:Bank", "--against", "original.py:figures", *UNTIL, "--replications", 5)
    assert result.exit_code == 1
    assert re.search(r"too wide to say, [\d,]+ replications of each would do", result.stdout)
    assert "may differ from" in result.stdout and re.search(
        r"; try [\d,]+ replications of each$", result.stdout.strip()
    )


@pytest.fixture
def shop(here):
    """A function-style model that sells to everybody who comes."""
    (here / "little_shop.py").write_text(FUNCTION_MODEL)
    return "little_shop.py:Shop"


def test_a_csv_file_of_a_spreadsheet(shop, here, call):
    drawn = random.Random(1)
    counts = [f"{10 + drawn.gauss(0, 3.2):.2f}".replace(".", ",") for _ in range(60)]
    lines = [f"{day}. May;{count};" for day, count in enumerate([*counts, ""])]
    (here / "days.csv").write_text("\n".join(["day;effort_total;note", *lines]))
    arguments = ("--policy", "always", "--param", "price=1", "--until", 10, "--absolute", "effort_total=3")
    result = call(shop, "--against", "days.csv", *arguments, "--json", "found.json")
    assert result.exit_code == 0, result.output
    assert "only in the original: day, note" in result.stdout
    (found,) = json.loads((here / "found.json").read_text())["figures"]
    assert (found["original"]["replications"], found["model"]["replications"]) == (60, 30)
    assert found["original"]["mean"] == pytest.approx(10, abs=1)


def test_figures_of_a_model_by_name(shop):
    adapted = subject(shop, "always", {"price": 3.0}, until=10.0)
    found = simulate(adapted, 0)
    sold = found["effort_total"] / 3
    assert found["now"] == 10 and 0 < found["last sale"] <= 10
    assert found["decisions"] == -1  # the model's own goes before
    assert found["effort"] == pytest.approx(3 * sold / 10)
    assert found["cost_total"] == pytest.approx(3 * sold + 100)
    assert found["cost"] == pytest.approx(found["cost_total"] / 10)
    assert found["early_count"] == sold and 0 < found["early"] <= 1
    assert 0 < found["half"] <= 0.5
    assert simulate(adapted, 0) == found != simulate(adapted, 1)


def test_the_warm_up_is_not_counted(shop):
    whole = simulate(subject(shop, "always", until=20.0), 0)
    late = simulate(subject(shop, "always", warm_up=5.0, until=20.0), 0)
    assert late["early"] == 0 or np.isnan(late["early"])
    assert late["early_count"] == whole["early_count"] - round(whole["early"] * whole["early_count"])
    assert late["effort"] == pytest.approx(late["effort_total"] / 15)


def test_a_task_brings_rule_end_and_parameters():
    found = subject("beer_game")
    assert found.terminating and found.until < 1000
    steady = subject("queueing")
    assert steady.policy_name == "shortest_expected_delay" and not steady.terminating and steady.warm_up > 0


def test_a_margin_of_its_own(shop, here, call):
    (here / "near_zero.py").write_text(
        "import random\n"
        "def figures(number):\n"
        "    return {'last sale': 9 + random.Random(number).random(), 'other': 1}\n"
    )
    arguments = ("--policy", "always", "--until", 10, "--absolute", "last sale=8")
    result = call(shop, "--against", "near_zero.py:figures", *arguments)
    assert result.exit_code == 0, result.output
    assert "± 8.00" in result.stdout and "only in the original: other" in result.stdout


ORIGINALS = {
    "fixed": "def figures(number):\n    return {'last sale': 9.5}\n",
    "texts": "def figures(number):\n    return {'last sale': 'late'}\n",
    "listed": "def figures(number):\n    return [9.5]\n",
    "endless": "def figures(number):\n    return {'last sale': float('inf')}\n",
    "failing": "def figures(number):\n    return {'last sale': 1 / number}\n",
    "strange": "def figures(number):\n    return {'last_sale': 9.5 + number}\n",
    "constant": "figures = 3\n",
}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("fixed", "all 30 replications have the same figures, while the model's differ"),
        ("texts", "figures(0) of texts.py:figures returned last sale = 'late'; return a finite number"),
        ("listed", "returned [9.5]; return a mapping"),
        ("endless", "returned last sale = inf; return a finite number"),
        ("failing", "figures(0) of failing.py:figures raised ZeroDivisionError"),
        ("strange", "no figure in common; the original has last_sale, and the model effort, half, early"),
        ("constant", "constant.py:figures is no function"),
    ],
)
def test_an_original_that_is_refused(shop, here, call, name, told):
    (here / f"{name}.py").write_text(ORIGINALS[name])
    result = call(shop, "--policy", "always", "--until", 10, "--against", f"{name}.py:figures")
    assert result.exit_code == 2 and told in result.stderr, result.output
    if name == "failing":
        assert "failing.py, line 2: return {'last sale': 1 / number}" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("--policy", "alway"),
            "no policy 'alway'; available: always, wrong, random; did you mean 'always'?",
        ),
        ((), "say which policy is the original's rule: --policy always or wrong or random"),
        (("--policy", "wrong"), "policy 'wrong' took what isn't offered"),
        (("--policy", "always", "--param", "prize=1"), "Extra inputs are not permitted"),
        (("--policy", "always", "--param", "price"), "--param price: write NAME=VALUE"),
        (("--policy", "always", "--margin", 2), "--margin 2: must be between 0 and 1"),
        (("--policy", "always", "--confidence", 95), "--confidence 95: must be between 0.5 and 1"),
        (("--policy", "always", "--absolute", "late=1"), "--absolute no figure 'late'; available: last sale"),
        (("--policy", "always", "--absolute", "last sale=-1"), "a margin is a positive number"),
        (("--policy", "always", "--absolute", "last sale=x"), "'x' is no number"),
        (("--policy", "always", "--warm-up", 10), "the end must come later than the warm-up"),
        (("--policy", "always", "--against", "good.py"), "say which function gives the figures, as in good"),
        (("--policy", "always", "--against", "days.csv"), "days.csv: there is no such file"),
        (("--policy", "always", "--against", "no.py:figures"), "the original: there is no file"),
        (("--policy", "always", "--against", "good.py:figure"), "but good.py has no figure"),
    ],
)
def test_bad_input_ends_with_exit_code_2(shop, here, call, arguments, told):
    (here / "good.py").write_text("def figures(number):\n    return {'last sale': 9 + number / 100}\n")
    result = call(shop, "--against", "good.py:figures", "--until", 10, *arguments)
    assert result.exit_code == 2 and told in result.stderr, result.output


def test_somebody_says_when_a_replication_ends(shop, call, here):
    (here / "good.py").write_text("def figures(number):\n    return {'last sale': 9 + number / 100}\n")
    result = call(shop, "--policy", "always", "--against", "good.py:figures")
    assert result.exit_code == 2 and "--until 480" in result.stderr


def test_what_is_no_model_is_refused(here, call):
    (here / "good.py").write_text("def figures(number):\n    return {'last sale': 9 + number / 100}\n")
    result = call("good.py:figures", "--against", "good.py:figures", "--until", 3)
    assert result.exit_code == 2 and "name a subclass of ProcessModel" in result.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("early_count\n9\n", "has one replication; at least two are needed"),
        ("early_count\n9\nten\n", "line 3, column 'early_count': 'ten' is no number"),
        ("early_count\n9\ninf\n", "line 3, column 'early_count': 'inf' is infinite"),
        ("sales\n9\n10\n", "no figure in common; the original has sales"),
    ],
)
def test_a_csv_file_that_is_refused(shop, here, call, text, told):
    (here / "days.csv").write_text(text)
    result = call(shop, "--against", "days.csv", "--policy", "always", "--until", 10)
    assert result.exit_code == 2 and told in result.stderr


def test_a_policy_that_cannot_be_sent_is_refused_only_with_workers(here):
    (here / "lambda_shop.py").write_text(
        FUNCTION_MODEL.replace(
            '{"always": always, "wrong": wrong}', '{"always": lambda state, choices: "yes"}'
        )
    )
    (here / "steady.py").write_text("def figures(number):\n    return {'now': 10 + number / 1e6}\n")
    adapted = subject("lambda_shop.py:Shop", until=10.0)
    assert validate(adapted, "steady.py:figures", workers=1, replications=3).equivalent
    with pytest.raises(ValueError, match=r"can't be sent to worker processes .* run with --workers 1"):
        validate(adapted, "steady.py:figures", workers=2, replications=3)


def test_a_page_of_figures_without_values(shop, here):
    (here / "nothing.py").write_text(
        "def figures(number):\n    return {'last sale': float('nan'), 'now': 10 + number / 1e6}\n"
    )
    found = validate(subject(shop, "always", until=10.0), "nothing.py:figures", workers=1, replications=3)
    write_page(found, here / "page.html")
    text = (here / "page.html").read_text(encoding="utf-8")
    assert "fewer than two replications have a value" in text and text.count("<svg") == 1


@pytest.mark.slow
def test_workers_change_nothing(bank):
    adapted = subject("bank.py:Bank", until=60.0)
    alone, two = (
        validate(adapted, "original.py:figures", replications=6, workers=workers).as_dict()
        for workers in (1, 2)
    )
    assert alone == two
