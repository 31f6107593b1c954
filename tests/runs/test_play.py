"""A person's game: every answer is taken, refused or ends it, and the score is against the same world."""

import re
from io import StringIO

import pytest
from rich.console import Console

from simdistill.config import RunConfig, compose
from simdistill.runs import play
from simdistill.simulators.queueing import Queueing


@pytest.fixture(scope="module")
def config() -> RunConfig:
    return compose(["task=queueing", "seed=4"])[0]


@pytest.fixture(autouse=True)
def _few_futures(monkeypatch):
    monkeypatch.setattr(play, "FUTURES", 8)


def game(config: RunConfig, *answers: str) -> tuple[play.Score, str]:
    given = iter(answers)

    def ask(prompt: str) -> str:
        shown.write(prompt)
        try:
            return next(given)
        except StopIteration:
            raise EOFError from None

    shown = StringIO()
    score = play.play(config, Console(file=shown, width=100), ask)
    return score, shown.getvalue()


def test_a_decision_shows_the_situation_the_choices_and_what_if(config):
    score, shown = game(config, "A", "q")
    assert score.decisions == 1
    assert "Arrivals 2.0 a minute; rates A 2.0, B 0.5." in shown
    assert "Which server gets the next job? [A / B]" in shown
    assert "standard error" in shown and "you" in shown and "teacher" in shown


def test_illegal_input_asks_again(config):
    score, shown = game(config, "C", "", "[red]", " b ", "q")
    assert score.decisions == 1
    assert all(f"'{answer}' isn't one of A, B; q ends the game." in shown for answer in ("c", "", "[red]"))


@pytest.mark.parametrize("answers", [(), ("q",)])
def test_no_decision_no_score(config, answers):
    score, shown = game(config, *answers)
    assert score.decisions == 0 and "No decision, no score." in shown


def test_the_end_of_input_ends_the_game_with_the_summary(config):
    score, shown = game(config, "a", "b", "a")
    assert score.decisions == 3 and len(score.regrets) == 3
    assert "You decided 3 times until minute" in shown


def test_whoever_decides_as_the_teacher_pays_as_the_teacher(config):
    policy = config.model_copy(
        update={"teacher": config.teacher.model_copy(update={"name": "shortest_expected_delay"})}
    )
    # From an empty system the fast server A is the policy's choice, whichever the arrival times.
    score, shown = game(policy, "a", "q")
    assert score.agreed == 1 and score.regrets == [(0.0, 0.0)]
    assert "(you +0.0%)" in shown or "same random numbers: 0.0." in shown


def test_the_same_seed_gives_the_same_game_and_another_seed_another(config):
    answers = ("a", "b", "a", "a", "q")
    _, first = game(config, *answers)
    _, second = game(config, *answers)
    _, other = game(config.model_copy(update={"seed": 5}), *answers)
    assert first == second != other


def test_a_terminating_game_is_paid_for_up_to_the_tasks_end(monkeypatch):
    fields = ["task.kind=terminating", "task.warm_up=0", "task.horizon=2", "check=false"]
    short = compose(["task=queueing", "seed=4", "teacher.name=shortest_expected_delay", *fields])[0]
    monkeypatch.setattr(Queueing, "final_cost", lambda self: 1000.0 * self.env.now)
    _, shown = game(short, *"aaaaaaaaaaaaaaaaaaaa")
    assert re.search(r"until minute 2\.0, .*\n?Cost: 20\d\d\.\d .*same random numbers: 20\d\d\.\d", shown)
    _, stopped = game(short, "a", "q")
    assert re.search(r"Cost: \d\.\d ", stopped)
