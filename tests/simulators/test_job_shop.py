"""The job shop against known makespans, and what waiting and breakdowns do to it."""

import numpy as np
import pytest

import simdistill  # noqa: F401 (makes the simulators known to Gymnasium)
from simdistill.config import compose
from simdistill.envs.prompts import Prompter
from simdistill.errors import InputError
from simdistill.simulation import TEST, WAIT, KnownCase
from simdistill.simulation.branching import what_if
from simdistill.simulation.distributions import beyond, interrupted
from simdistill.simulation.rollout import replicate, run_policy
from simdistill.simulation.situations import Episode
from simdistill.simulators.job_shop import RULES, JobShop, best_of_rules, load, parse
from simdistill.simulators.references.job_shop import FURTHER_RULES, OPTIMA, bounds, makespan
from simdistill.verification.cases import packaged

CASES = [case for case in packaged() if case.family == "job_shop"]
TWO = "2 2\n0 3 1 2\n1 4 0 1\n"


def case(instance="la01.txt", policy="SPT", **conventions):
    return KnownCase(
        "x", "job_shop", {"instance": f"job_shop/{instance}"}, {"name": policy}, conventions, {}, ()
    )


def simulated(params, policy, seed=0):
    return replicate(JobShop, params, policy, (seed, TEST, 0, 0), 0.0, 1e5, terminating=True)


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_makespans_agree_with_known_answers(case):
    experiment = JobShop.experiment(case)
    assert experiment.policy is not None
    [expected] = case.expected
    replication = simulated(experiment.params, experiment.policy)
    assert replication.measures["makespan"] == replication.cost == expected["value"]
    assert experiment.solved["makespan"]() == expected["value"]
    assert replication.illegal_answers == 0


@pytest.mark.parametrize("rule", [*RULES.values(), *FURTHER_RULES.values()])
def test_random_instances_are_dispatched_as_without_simpy(rule):
    for seed in range(5):
        model = JobShop({"jobs": 7, "machines": 5, "shortest": 0}, (seed,))
        run_policy(model, rule, 1e5)
        assert model.cost() == makespan(model.routes, rule)


def test_ties_go_to_the_last_job_where_a_case_says_so(tmp_path):
    (tmp_path / "job_shop").mkdir()
    (tmp_path / "job_shop" / "tie.txt").write_text("2 2\n0 3 1 9\n0 3 1 1\n")
    found = []
    for ties in ("lowest job index", "highest job index"):
        tied = case("tie.txt", ties=ties)
        tied = KnownCase(
            tied.id, tied.family, tied.parameters, tied.policy, tied.conventions, {}, (), tmp_path
        )
        experiment = JobShop.experiment(tied)
        assert experiment.policy is not None
        found.append(simulated(experiment.params, experiment.policy).cost)
        assert found[-1] == experiment.solved["makespan"]()
    assert found == [13.0, 15.0]


def test_a_case_may_ask_for_the_best_of_the_rules():
    assert JobShop.experiment(case(policy="best of rules")).solved["makespan"]() == 735


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"policy": "CR"}, "unknown rule 'CR'; known: FIFO"), ({"ties": "at random"}, "not by 'at random'")],
)
def test_unknown_rules_and_ties_are_refused(changed, message):
    with pytest.raises(InputError, match=message):
        JobShop.experiment(case(**changed))


@pytest.mark.parametrize("instance", OPTIMA)
def test_best_of_rules_is_no_worse_than_any_rule_and_no_better_than_the_optimum(instance):
    best = min(makespan(load(instance), rule) for rule in RULES.values())
    if instance in ("ft06", "la01"):
        assert OPTIMA[instance] <= simulated({"instance": instance}, best_of_rules).cost <= best
    assert OPTIMA[instance] <= best


def test_bounds_of_an_instance():
    pytest.importorskip("ortools")
    assert bounds(load("ft06")) == (55, 55)


def test_bounds_say_what_is_missing():
    try:
        import ortools  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError:
        with pytest.raises(InputError, match="pip install ortools"):
            bounds(load("ft06"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must begin with the numbers of jobs and machines, found 'nothing'"),
        ("6\n", "found '6'"),
        ("2 2\n0 3 1 2\n", "2 jobs are announced, 1 rows follow"),
        ("2 2\n0 3 1 2\n0 4 0 1\n", "row 2 of 2: machine 1 is missing"),
        ("2 2\n0 3 1 2\n0 4 2 1\n", "row 2 of 2: machine 1 is missing"),
        ("2 2\n0 3 1\n0 4 1 1\n", "row 1 of 2: 2 pairs of machine and duration expected, 3 numbers found"),
        ("2 2\n0 3 1 -2\n0 4 1 1\n", "row 1 of 2: a duration is negative, -2"),
        ("2 2\n0 3 1 x\n0 4 1 1\n", "only whole numbers"),
    ],
)
def test_a_bad_instance_is_explained(text, message):
    with pytest.raises(InputError, match=message):
        parse(f"# a comment\n{text}", "file")


def written(layout, routes, first=0) -> str:
    """An instance in one of the layouts that are around."""
    size = f"{len(routes)} {len(routes[0])}"
    times = [" ".join(str(minutes) for _, minutes in route) for route in routes]
    machines = [" ".join(str(machine + first) for machine, _ in route) for route in routes]
    pairs = [" ".join(f"{machine + first} {minutes}" for machine, minutes in route) for route in routes]
    counts = "Nb of jobs, Nb of Machines, Time seed, Machine seed, Upper bound, Lower bound"
    lines = {
        "usual": [size, *pairs],
        "Taillard": [
            counts,
            f" {size} 840612802 398197754 1231 1005",
            "Times",
            *times,
            "Machines",
            *machines,
        ],
        "blocks": [size, *times, "", *machines],
        "blocks with seeds": [f"{size} 1 2 3 4", *times, *machines],
        "labels": [size, "processing times:", *times, "machine order:", *machines],
        "labels alone": ["TIMES", *times, "MACHINES", *machines],
        "machines first": [size, "Machines", *machines, "Times", *times],
        "one label": [size, *times, "Machines", *machines],
    }
    return "\n".join(["# a comment", *lines[layout], ""])


LAYOUTS = (
    "usual",
    "Taillard",
    "blocks",
    "blocks with seeds",
    "labels",
    "labels alone",
    "machines first",
    "one label",
)


@pytest.mark.parametrize("instance", ["ft06", "ft10", "ft20", "la01"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("first", [0, 1])
def test_an_instance_is_the_same_in_every_layout(instance, layout, first, caplog):
    routes = load(instance)
    assert parse(written(layout, routes, first), "file") == routes
    assert ("machines are numbered from 1" in caplog.text) == (first == 1)


@pytest.mark.parametrize("layout", ["usual", "Taillard", "blocks"])
def test_another_layout_has_the_same_optimum(layout, tmp_path):
    pytest.importorskip("ortools")
    path = tmp_path / "ft06.txt"
    path.write_text(written(layout, load("ft06"), first=1))
    assert bounds(load(str(path))) == (55, 55)
    assert simulated({"instance": str(path)}, RULES["SPT"]).cost == makespan(load("ft06"), RULES["SPT"])


def test_titles_above_and_lines_of_signs_are_left_out():
    text = "\n".join(
        [
            "+++++",
            " instance ft06",
            "+++++",
            "Fisher, Thompson 2x2",
            "2 2",
            "0 3 1 2",
            "1 4 0 1",
            "+++++",
            "# 9",
        ]
    )
    assert parse(text, "f.txt") == parse("2 2\n0 3 1 2\n1 4 0 1\n", "f.txt")
    with pytest.raises(InputError, match=r"f\.txt, line 4: only whole numbers .* found 'best'; # begins"):
        parse("2 2\n0 3 1 2\n1 4 0 1\nbest known 5\n", "f.txt")


@pytest.mark.parametrize("number", ["1_0", "٣", "0x3", "3.0", "1e3"])
def test_durations_are_digits_alone(number):
    with pytest.raises(InputError, match=f"line 2: only whole numbers may stand .* found '{number}'"):
        parse(f"2 2\n0 {number} 1 2\n1 4 0 1\n", "f.txt")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("layout", ["usual", "Taillard"])
def test_an_instance_may_be_in_unicode_of_any_kind(layout, encoding, tmp_path):
    path = tmp_path / f"{encoding}.txt"
    path.write_bytes(written(layout, load("ft06")).replace("\n", "\r\n").encode(encoding))
    assert load(str(path)) == load("ft06")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2 2\n1 3 2 2\n1 4 0 1\n", "line 2: row 1 of 2: machine 0 is missing; each job visits 0 to 1 once"),
        ("2 2\n1 3 2 2\n1 4 3 1\n", "line 3: row 2 of 2: machine 2 is missing; each job visits 1 to 2 once"),
        ("2 2\n2 3 3 2\n2 4 3 1\n", "line 2: row 1 of 2: machine 0 is missing"),
        ("2 2\n3 2\n4 1\n1 2\n1 1\n", "line 5: row 2 of 2: machine 2 is missing"),
        ("2 2\n3 2\n4 1\n1 2\n", "2 jobs are announced, 3 rows follow"),
        ("2 2\nTimes\n3 2\nMachines\n1 2\n2 1\n", "2 jobs are announced, 1 rows of times follow"),
        (
            "2 2\nTimes\n3 2\n4\nMachines\n1 2\n2 1\n",
            "line 4: row 2 of 2 rows of times: 2 numbers expected, 1",
        ),
        ("2 2\n3 -2\n4 1\n1 2\n2 1\n", "row 1 of 2: a duration is negative, -2"),
        ("2 2\n0 3.5 1 2\n1 4 0 1\n", "line 2: only whole numbers may stand below the comments: .*'3.5'"),
        ("1 1\nTimes\n3\nMachines\n1\n1 1\nTimes\n", "line 7: 'Times' comes a second time; put one instance"),
        ("15 15 1\n", "must begin with the numbers of jobs and machines, found '15 15 1'"),
    ],
)
def test_a_bad_layout_is_explained(text, message):
    with pytest.raises(InputError, match=message):
        parse(text, "file")


def test_an_instance_in_another_encoding_is_explained(tmp_path):
    path = tmp_path / "instance.txt"
    path.write_bytes("# für Übungen\n1 1\n0 3\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"instance.txt: byte 0xfc in line 1 is not UTF-8"):
        load(str(path))


def test_bad_parameters_are_explained(tmp_path):
    path = tmp_path / "two.txt"
    path.write_text(TWO.replace("0 1\n", "1 1\n"))
    for params, message in (
        ({"instance": "ft07"}, "no instance file 'ft07'; those by name are ft06, ft10"),
        ({"instance": str(path)}, "machine 0 is missing"),
        ({"shortest": 9, "longest": 5}, "shortest 9 is above longest 5"),
        ({"breakdown_rate": -1}, "breakdown_rate = -1"),
    ):
        with pytest.raises(InputError, match=message):
            JobShop(params)


def test_waiting_is_offered_only_while_something_goes_on_and_another_job_may_come(tmp_path):
    path = tmp_path / "two.txt"
    path.write_text(TWO)
    model = JobShop({"instance": str(path)})
    first = model.advance()
    assert first is not None and (model.observe_unchecked(first)["machine"], first.labels) == (0, ["A", WAIT])
    model.answer(WAIT)
    second = model.advance()
    # Machine 0 waits, so machine 1 has to start: its only job is taken without asking.
    assert second is not None and (model.observe_unchecked(second)["machine"], second.labels) == (
        0,
        ["A", WAIT],
    )
    assert model.observe_unchecked(second)["comes_in"] == [0, 4] and model.observe_unchecked(second)[
        "then_takes"
    ] == [0, 1]
    model.answer(WAIT)
    third = model.advance()
    assert third is not None and (model.env.now, third.labels) == (4, ["A", "B"])


@pytest.mark.parametrize("choose", [lambda labels: labels[-1], lambda labels: labels[0], lambda labels: "?"])
def test_every_shop_ends_with_all_jobs_done(choose):
    for seed in range(4):
        model = JobShop({"breakdown_rate": 0.02}, (seed,))
        run_policy(model, lambda state, choices: choose(choices), 1e6)
        assert model.ended
        assert model.done == [len(route) for route in model.routes]
        assert model.totals()["makespan"] == (model.cost(), 1.0)


def test_a_breakdown_lengthens_an_operation_by_whole_minutes():
    repaired = interrupted(10.0, 0.02, 5.0)
    draws = [repaired.quantile((n + 0.5) / 10_000) for n in range(10_000)]
    assert np.mean(draws) == pytest.approx(10.0 + 5.0 * (1.0 - np.exp(-0.2)), abs=0.01)
    assert repaired.quantile(0.8) == 10.0
    assert repaired.cdf(9.9) == 0.0
    for age in (10, 11, 25):
        assert np.mean(np.array(draws) <= age) == pytest.approx(repaired.cdf(age), abs=1e-4)
        assert beyond(repaired, age, 0.0) == age + 1


def test_what_if_is_exact_without_breakdowns():
    episode = Episode(JobShop({"instance": "ft06"}, (0,)))
    while (situation := episode.advance()) is not None and len(situation.actions) < 12:
        episode.answer(RULES["MWKR"](situation.state, situation.choices))
    assert situation is not None
    values = what_if(JobShop, situation, RULES["MWKR"], 2, 1000.0)
    assert values.coupled_CK.all()

    def finished(choice):
        branch = JobShop(situation.params, (0,))
        answers = iter([*situation.actions, choice])
        run_policy(branch, lambda state, labels: next(answers, None) or RULES["MWKR"](state, labels), 1e5)
        return branch.cost()

    expected = [finished(choice) - finished(situation.choices[values.base]) for choice in situation.choices]
    assert values.mean_C.tolist() == expected


def test_the_task_tells_a_situation_shortly():
    [config] = compose(["task=job_shop"])
    model = JobShop(config.task.parameters.default)
    decision = model.advance()
    assert decision is not None
    told = Prompter(config.task.language).situation(model.state(decision))
    assert told.startswith("Here ") and len(told) < 200
