"""What a branch draws again: draws under way, given what is known of them."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from simdistill import adapt
from simdistill.checker.check import inspect_simulator
from simdistill.errors import InputError, ProcessError
from simdistill.simulation import EPISODE, TRAIN, Streams, World, branch_point
from simdistill.simulation.branching import what_if
from simdistill.simulation.redrawing import Redrawing, redrawing
from simdistill.simulation.rng.tracked import Made, Tracked, made_of
from simdistill.simulation.situations import Episode
from simdistill.simulation.streams import BranchedWorld

_spec = importlib.util.spec_from_file_location("rng_models", Path(__file__).parent / "models.py")
assert _spec is not None and _spec.loader is not None
models = sys.modules["rng_models"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(models)


def first(state, choices):
    return choices[0]


def situations(process, count, params=None, decision=0):
    """One decision of each of several episodes."""
    found = []
    for number in range(10 * count):
        episode = Episode(process(params, (0, TRAIN, EPISODE, number)))
        situation = episode.advance()
        while situation is not None and len(situation.actions) < decision:
            episode.answer(situation.choices[0])
            situation = episode.advance()
        if situation is not None:
            found.append(situation)
        if len(found) == count:
            break
    return found


def means(process, found, futures=100):
    values = [what_if(process, situation, first, futures, 200.0) for situation in found]
    return np.array([value.mean_C[1] for value in values]), values


def rest(distribution, age, share=1.0):
    """Mean of a distribution beyond an age."""
    return distribution.expect(lambda x: x, lb=age) / distribution.sf(age)


def test_a_repair_under_way_is_drawn_again_with_all_that_was_made_of_it(monkeypatch):
    found = situations(models.Repair, 16)
    mean_H, values = means(models.Repair, found)
    assert mean_H.std(ddof=1) == pytest.approx(5.0 / 10, rel=0.6)
    assert mean_H.mean() == pytest.approx(8.0 - 9.0, abs=3 * 0.5 / 4)
    assert not values[0].draws
    monkeypatch.setattr(branch_point, "redrawing", lambda *arguments: Redrawing())
    kept_H, _ = means(models.Repair, found, futures=4)
    assert kept_H.std(ddof=1) > 2.0


@pytest.mark.parametrize(
    "way, expected",
    [
        ("plain", stats.expon(scale=5.0)),
        ("sum", stats.gamma(2.0, scale=2.5)),
        ("scaled", stats.expon(loc=0.1, scale=5.0)),
        ("sequence", stats.invgauss(mu=5.0 / 10.0, scale=10.0)),
    ],
)
def test_the_way_from_a_draw_to_a_timeout(way, expected):
    (situation,) = situations(models.Repair, 1, {"way": way})
    values = what_if(models.Repair, situation, first, 400, 500.0)
    assert not values.draws
    assert values.differences_CK[1].std() > 1.0
    assert values.mean_C[1] == pytest.approx(8.0 - rest(expected, 4.0), abs=4 * values.standard_error_C[1])


def test_pythons_methods_are_followed_as_well():
    mean_H, _ = means(models.Repair, situations(models.Repair, 12, {"python": True}))
    assert mean_H.std(ddof=1) < 1.0
    assert mean_H.mean() == pytest.approx(-1.0, abs=0.6)


def test_what_was_stopped_goes_on_with_its_rest():
    found = situations(models.Resumed, 12)
    mean_H, values = means(models.Resumed, found)
    # It has worked for 3 + 1; what it lasts is its work and the pause of 2.
    assert mean_H.mean() == pytest.approx(5.0 - rest(stats.gamma(2.0, scale=4.0), 4.0) - 2.0, abs=0.8)
    assert mean_H.std(ddof=1) < 1.5
    assert not any(value.draws for value in values)


def test_what_the_state_shows_keeps_its_value():
    found = situations(models.Shown, 3)
    for situation in found:
        values = what_if(models.Shown, situation, first, 5, 100.0)
        np.testing.assert_allclose(values.differences_CK[1], -situation.state["length"])
    plan = redrawing(
        models.Shown, found[0].params, World(Streams(found[0].path)), found[0].actions, found[0].time
    )
    assert not plan.hidden and [draw.source for draw in plan.known] == ["length"]
    assert plan.known[0].line.startswith(str(Path(__file__).parent / "models.py"))


def test_a_length_that_is_limited_is_drawn_again_on_both_sides_of_the_limit():
    found = situations(models.SortedOut, 40)
    mean_H, values = means(models.SortedOut, found, futures=40)
    length = stats.norm(5.0, 3.0)
    inside = length.expect(lambda x: x, lb=3.0, ub=9.0) + 9.0 * length.sf(9.0)
    assert mean_H.mean() == pytest.approx(-inside / length.sf(3.0), abs=0.25)
    assert mean_H.std(ddof=1) < 0.5
    assert not any(value.draws for value in values)


def test_what_was_found_out_of_a_number_stays_true():
    found = situations(models.SortedOut, 24, {"labelled": True, "limit": 50.0})
    mean_H, values = means(models.SortedOut, found, futures=40)
    long_H = np.array([situation.state["kind"] == ["long"] for situation in found])
    assert mean_H[long_H].max() < -6.0 < mean_H[~long_H].min()
    assert mean_H[long_H].std() < 0.4 and mean_H[~long_H].std() < 0.4
    assert not any(value.draws for value in values)


def test_a_past_keeps_its_values_and_the_future_has_its_own():
    (situation,) = situations(models.Queue, 1, decision=12)
    plan = redrawing(
        models.Queue, situation.params, World(Streams(situation.path)), situation.actions, situation.time
    )
    seen = []
    for future in (0, 0, 1):
        streams = Streams((*situation.path, 1, future))
        again = plan.again(streams)
        world = BranchedWorld(World(Streams(situation.path)), streams, situation.time, again)
        episode = Episode(models.Queue(None, world))
        here = [episode.advance()]
        for action in situation.actions:
            episode.answer(action)
            here.append(episode.advance())
        assert here[-1] is not None and here[-1].state == situation.state
        world.branch()
        episode.answer("in")
        following = episode.advance()
        assert following is not None
        seen.append(following.time)
    assert seen[0] == seen[1] != seen[2]


def test_branches_with_one_state_but_other_counts_are_not_coupled():
    one, other = (models.Queue(None, (0, TRAIN, EPISODE, 0)) for _ in range(2))
    for model in (one, other):
        adapt.fingerprint(model.env, lambda: 1)
        model.advance()
    assert one.full_fingerprint() == other.full_fingerprint()
    one.rng("service").random()
    assert one.full_fingerprint() != other.full_fingerprint()


def test_a_generator_at_the_top_of_a_file_belongs_to_whichever_episode_runs():
    def times(model, count=6):
        found = []
        for _ in range(count):
            assert model.advance() is not None
            found.append(model.env.now)
            yield found
            model.answer("in")

    paths = [(0, TRAIN, EPISODE, number) for number in range(2)]
    alone = [list(times(models.Queue(None, path)))[-1] for path in paths]
    taking_turns = list(zip(*(times(models.Queue(None, path)) for path in paths), strict=True))[-1]
    assert list(taking_turns) == alone


def test_a_generator_without_an_episode():
    generator = adapt.rng(None, "elsewhere")
    with pytest.raises(InputError, match="say which one it is for"):
        generator.random()
    with pytest.raises(InputError, match="belongs to no simulator"):
        generator.bind(None)
    model = models.Repair(None, (0, TRAIN, EPISODE, 0))
    adapt.bind(model.env, generator)
    assert generator.random() == World(Streams((0, TRAIN, EPISODE, 0))).sources.rng("elsewhere").random()
    with pytest.raises(InputError, match="wasn't made by rng"):
        adapt.bind(model.env, model.rng("repair"))
    assert adapt.rng(model.env, "repair") is model.rng("repair")


def test_numbers_remember_their_draws():
    class Draw:
        value = 2.0
        notes = type("Notes", (), {"compared": lambda *arguments: None})

    draw = Draw()
    number = Tracked(2.0, Made(None, (draw,), 0))
    made = [2 * number, number - 1, 5 - number, number / 2, number**2, -number, abs(number), round(number)]
    made += [max(number, 1.0), min(5, number), np.float64(3) * number, number * np.float64(3), np.exp(number)]
    made += [number + number, sum([number, number]), np.maximum(number, 1), 7 // number, number % 2]
    for other in made:
        way = made_of(other)
        assert way is not None and way.value({}) == other
        assert set(way.draws()) == {draw}
    assert [made_of(other).value({draw: 3.0}) for other in made[:3]] == [6.0, 2.0, 2.0]  # type: ignore
    lost = [int(number), float(number), f"{number:.1f}", np.array([number])[0]]
    assert all(made_of(other) is None for other in lost)


def test_the_check_counts_what_is_drawn_again():
    report = inspect_simulator(models.Queue, seconds=60)
    assert not [problem for problem in report.problems if problem.check != "workers"]
    assert any("draws under way were drawn again" in note for note in report.notes)


def test_the_check_measures_the_bias_of_draws_that_come_too_early():
    report = inspect_simulator(models.Queue, {"early": True}, seconds=60)
    (problem,) = [problem for problem in report.problems if problem.check == "no clairvoyance"]
    assert "'service', exponential(0.8) at" in problem.message and "models.py:" in problem.message
    assert "standard deviation" in problem.message and "when it is used" in problem.advice


@pytest.mark.parametrize("way", ["whole", "array"])
def test_the_check_finds_numbers_that_lost_the_way_to_their_draw(way):
    report = inspect_simulator(models.Repair, {"way": way, "mean": 20.0}, seconds=60)
    told = [*(problem.message for problem in report.problems), *report.notes]
    (leak,) = [
        message for message in told if "has revealed" in message or "the state doesn't show" in message
    ]
    assert "'repair', exponential(20.0" in leak


def test_the_check_names_the_lines_of_draws_and_tells_of_whole_arrays():
    report = inspect_simulator(models.Repair, {"way": "array", "mean": 20.0}, seconds=60)
    (told,) = [note for note in report.notes if "whole arrays" in note]
    assert "of whole arrays, 'repair', exponential(20.0, " in told and "models.py:" in told


def test_the_check_names_a_draw_among_many_values_in_short():
    def announced(env):
        sizes = adapt.rng(env, "size")
        while True:
            size = sizes.choice(np.arange(1.0, 51.0))
            adapt.charge(env, "size", size * len((yield adapt.decide(env, "Which?", ["a", "bb"], dict))))
            yield env.timeout(1.0)

    report = inspect_simulator(adapt.process_model(announced), seconds=60)
    (leak,) = [problem.message for problem in report.problems if "nothing has revealed" in problem.message]
    assert leak.startswith("equal states don't have equal what-if values: at the decision at time 0 1 draw")
    assert "choice(<50 values>)" in leak
    assert "rng: at 11 decisions no draw under way had to be drawn again" in report.notes


def test_the_check_is_content_where_draws_under_way_are_drawn_again():
    report = inspect_simulator(models.Repair, {"mean": 20.0}, seconds=60)
    told = [*(problem.message for problem in report.problems), *report.notes]
    assert not [
        message for message in told if "has revealed" in message or "the state doesn't show" in message
    ]
    assert "rng: at 1 decision 1 draw under way was drawn again" in told


def test_a_model_that_fails_in_build_leaves_nothing_running():
    def broken(env):
        adapt.rng(env, "a").random()
        raise ValueError("no")

    with pytest.raises(ProcessError):
        adapt.process_model(broken)(None, (0, TRAIN, EPISODE, 0))
    with pytest.raises(InputError):
        adapt.rng(None, "a").random()
