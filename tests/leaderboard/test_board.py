"""What a board says of results whose truth is known."""

import json
import re

import pytest
from rich.console import Console

from simdistill.leaderboard import Protocol, Result, board
from simdistill.leaderboard.board import COMPARED
from simdistill.leaderboard.page import show, write_page
from simdistill.leaderboard.results import Refused
from simdistill.results import SETTINGS, Results

NOISE = (0.0, 0.003, -0.002, 0.001)


def graded(**levels: float):
    """Costs over the reference by method, with a little noise by seed that isn't the same for all."""

    def over(cell) -> float:
        return levels[cell.method] + NOISE[(cell.seed + len(cell.method)) % 4]

    return over


WINNING = graded(simdistill=0.01, sft=0.05, sft_grpo=0.04)


def verdict(protocol, results) -> dict:
    return board(protocol, results)["claim"]


def test_a_clear_winner_establishes_the_claim(protocol, results):
    found = verdict(protocol, results(WINNING))
    assert found["verdict"] == "established" and found["cells"] == {"run": 48, "planned": 48}
    assert [condition["met"] for condition in found["conditions"]] == [True] * 7
    assert found["conditions"][0]["better"] == 4


def test_losing_on_one_task_refutes_it(protocol, results):
    def over(cell):
        return 0.2 if cell == ("queueing", "simdistill", cell.seed) else WINNING(cell)

    found = verdict(protocol, results(over))
    assert found["verdict"] == "refuted"
    (lost,) = [row for row in found["conditions"][0]["tasks"] if row["verdict"] == "worse"]
    assert lost["task"] == "queueing" and lost["ci95"][1] < 0


def test_one_of_many_comparisons_has_to_be_clear_to_refute_it(protocol, results):
    """One interval in twenty excludes zero by chance alone; after Holm's correction it is a tie."""
    slightly = dict(enumerate((0.053, 0.054, 0.059, 0.057)))

    def over(cell):
        return slightly[cell.seed] if cell == ("queueing", "simdistill", cell.seed) else WINNING(cell)

    found = verdict(protocol, results(over))
    for condition in found["conditions"][:2]:
        (row,) = [row for row in condition["tasks"] if row["task"] == "queueing"]
        assert row["ci95"][1] < 0 and row["p"] < 0.05 < row["p_holm"] and row["verdict"] == "tie"
        assert condition["worse"] == 0 and condition["better"] == 3


def test_ties_leave_it_undecided(protocol, results):
    found = verdict(protocol, results(graded(simdistill=0.01, sft=0.01, sft_grpo=0.04)))
    assert found["verdict"] == "not decided"
    assert [condition["met"] for condition in found["conditions"]] == [None, None, *[True] * 5]


def test_being_far_from_the_reference_on_every_task_refutes_it(protocol, results):
    found = verdict(protocol, results(graded(simdistill=0.09, sft=0.2, sft_grpo=0.3)))
    near = {c["condition"]: c["met"] for c in found["conditions"] if "median" in c["condition"]}
    assert list(near.values()) == [False, False] and found["verdict"] == "refuted"


def test_a_median_whose_interval_holds_the_limit_is_undecided(protocol, results):
    spread = {0: 0.0, 1: 0.02, 2: 0.06, 3: 0.12}

    def over(cell):
        return spread[cell.seed] if cell.method == "simdistill" else WINNING(cell)

    found = verdict(protocol, results(over))
    near = [condition for condition in found["conditions"] if "median" in condition["condition"]]
    assert all(entry["ci95"][0] <= entry["limit"] < entry["ci95"][1] for entry in near)
    assert [entry["met"] for entry in near] == [None, None]


def test_a_heuristic_that_is_better_refutes_it(protocol, results):
    found = verdict(protocol, results(WINNING, heuristic=0.001))
    assert found["conditions"][-1]["met"] is False and found["verdict"] == "refuted"


def test_too_few_updates_of_grpo_leave_it_out(protocol, results):
    found = verdict(protocol, results(WINNING, updates=49))
    assert found["not_trained"] == ["sft_grpo"] and len(found["conditions"]) == 5
    assert found["verdict"] == "established"


def test_one_seed_decides_nothing_and_what_is_missing_is_told(protocol, results):
    some = [r for r in results(WINNING) if r.cell.seed == 0 and r.cell.task != "admission"]
    found = board(protocol, some)
    assert found["claim"]["verdict"] == "not decided"
    assert found["claim"]["cells"] == {"run": 9, "planned": 48}
    assert found["claim"]["tasks_not_run"] == ["admission"]
    assert sum(cell["run"] for cell in found["cells"]) == 9
    assert {row["verdict"] for row in found["comparisons"]} == {"unknown"}
    assert found["overall"]["sft"]["in_distribution"]["mean"]["ci95"] is None


def test_without_an_interval_nothing_is_met(protocol, results):
    one = [r for r in results(WINNING) if r.cell.seed == 0 and r.cell.task == "queueing"]
    assert {condition["met"] for condition in verdict(protocol, one)["conditions"]} == {None}


def test_a_single_task_refutes_nothing_about_two(protocol, results):
    one = [r for r in results(WINNING, heuristic=0.001) if r.cell.task == "queueing"]
    assert verdict(protocol, one)["conditions"][-1]["met"] is None


def test_a_reference_without_a_cost_makes_nobody_unstable(protocol, results):
    def change(cell, document):
        if cell.task == "admission":
            for policy in document["tasks"][0]["policies"].values():
                policy["over_reference"]["in_distribution"] = None

    overall = board(protocol, results(WINNING, change))["overall"]["simdistill"]
    assert overall["in_distribution"]["tasks"] == 3 and overall["out_of_distribution"]["tasks"] == 4


def test_comparisons_are_adjusted_and_told_both_ways(protocol, results):
    rows = board(protocol, results(WINNING))["comparisons"]
    assert len(rows) == 3 * 4 * 2
    assert all(row["p_holm"] >= row["p"] for row in rows)
    of_pair = {(row["first"], row["second"]): row["verdict"] for row in rows}
    assert of_pair["sft", "simdistill"] == "worse"


def test_two_methods_are_compared_over_the_tasks_that_both_have(protocol, results):
    some = [r for r in results(WINNING) if (r.cell.task, r.cell.method) != ("queueing", "sft") or r.cell.seed]
    rows = board(protocol, some)["differences"]
    assert len(rows) == 3 * 2
    (row,) = [
        r for r in rows if (r["first"], r["second"], r["setting"]) == ("sft", "simdistill", COMPARED[0])
    ]
    assert row["mean"]["mean"] == pytest.approx(-0.04, abs=2e-3)
    assert row["mean"]["ci95_tasks"][1] < -0.03 and (row["tasks"], row["runs"]) == (4, 15)
    alone = [r for r in some if r.cell.method == "sft"]
    assert board(protocol, alone)["differences"] == []


def test_unstable_students_are_counted_wherever_they_are_left_out(protocol, results):
    def over(cell):
        return None if cell == ("queueing", "sft", 1) else WINNING(cell)

    found = board(protocol, results(over))["tasks"]["queueing"]["methods"]["sft"]
    for measure in ("over_reference", "over_teacher", "regret_per_decision"):
        assert found[measure]["in_distribution"]["unstable"] == 1
        assert found[measure]["in_distribution"]["seeds"] == 3
    assert found["heuristic_gap_closed"]["in_distribution"] == {"mean": None, "ci95": None, "unstable": 1}


def test_other_measures_are_told_over_all_tasks_too(protocol, results):
    some = [r for r in results(WINNING) if r.cell.method != "sft"]
    found = board(protocol, some)["measures"]
    assert found["sft"] is None
    ours = found["simdistill"]
    assert (ours["questions"]["mean"], ours["simulator_steps"]["mean"], ours["minutes"]["mean"]) == (
        96,
        5100,
        2,
    )
    over_teacher = ours["over_teacher"]["in_distribution"]
    assert over_teacher["mean"] == pytest.approx(0.0105) and over_teacher["tasks"] == 4
    assert over_teacher["ci95"][0] < 0.0105 < over_teacher["ci95"][1] and ours["forecast_skill"] is None


def test_a_measure_that_a_board_does_not_know_is_shown_task_by_task(protocol, results, tmp_path):
    def change(cell, document):
        worst = {setting: {"mean": 1.5, "ci95": None} for setting in SETTINGS}
        document["tasks"][0]["measures"]["worst_case"] = worst

    found = board(protocol, results(WINNING, change))
    measured = found["tasks"]["queueing"]["methods"]["sft"]["worst_case"]["in_distribution"]
    assert (measured["mean"], measured["seeds"]) == (1.5, 4)
    assert "worst case" in write_page(found, tmp_path).read_text()
    known = board(protocol, results(WINNING))
    assert "worst case" not in write_page(known, tmp_path).read_text()


def test_anchors_are_on_every_task(protocol, results):
    task = board(protocol, results(WINNING))["tasks"]["queueing"]
    assert task["anchors"]["untuned"] is None
    assert task["anchors"]["random"]["over_reference"]["default"]["unstable"] == 1
    assert task["anchors"]["heuristic"]["title"] == "practitioner"
    assert task["anchors"]["teacher"]["over_reference"]["default"]["mean"] == pytest.approx(0.0015)
    assert task["anchors"]["optimum"]["over_reference"]["default"]["mean"] == 0


def test_learning_is_told_relative_to_the_heuristic(protocol, results):
    found = board(protocol, results(graded(sft=0.1, sft_grpo=0.1, simdistill=0.1)))
    learning = found["tasks"]["queueing"]["methods"]["sft"]["learning"]
    assert learning["points"] == [
        {"questions": 48.0, "minutes": 0.5, "regret": pytest.approx(2.0)},
        {"questions": 96.0, "minutes": 1.0, "regret": pytest.approx(1.0)},
    ]
    assert learning["as_good"]["runs"] == learning["as_good"]["of"] == 4
    needed = learning["as_good"]
    assert needed["questions"]["mean"] == pytest.approx(96) and needed["minutes"]["mean"] == pytest.approx(1)


def test_a_training_that_does_not_get_there_is_censored_at_its_full_budget(protocol, results):
    def change(cell, document):
        points = document["learning"]["points"]
        if cell.seed == 0:
            points[1]["validation_regret"] = 0.3
        if cell.seed == 1:
            points[0]["validation_regret"] = 0.1

    methods = board(protocol, results(WINNING, change))["tasks"]["queueing"]["methods"]
    needed = methods["sft"]["learning"]["as_good"]
    assert (needed["runs"], needed["of"]) == (3, 4)
    assert needed["questions"]["mean"] == pytest.approx((96**3 * 48) ** 0.25)


def test_a_teacher_that_methods_share_counts_once(protocol, results):
    found = results(WINNING)
    once = board(protocol, [result for result in found if result.cell.method == "sft"])
    every = board(protocol, found)
    told = [one["tasks"]["queueing"]["anchors"]["teacher"]["over_reference"] for one in (once, every)]
    assert told[0] == told[1] and told[0]["default"]["seeds"] == 4


def test_a_teacher_is_known_by_its_settings_and_not_by_how_a_processor_rounds(protocol, results):
    def change(cell, document):
        if cell.method == "sft_grpo":
            document["tasks"][0]["policies"]["teacher"]["over_reference"]["default"]["mean"] += 1e-9

    found = results(WINNING, change)
    shared = board(protocol, found)["tasks"]["queueing"]["anchors"]["teacher"]["over_reference"]["default"]
    assert shared["seeds"] == 4
    apart = protocol.model_dump()
    apart["methods"]["sft_grpo"]["overrides"] = ["teacher.futures=4"]
    both = board(Protocol.model_validate(apart), found)["tasks"]["queueing"]["anchors"]["teacher"]
    assert both["over_reference"]["default"]["seeds"] == 8


def test_the_page_shows_what_the_board_says(protocol, results, metrics_of, tmp_path):
    some = [r for r in results(WINNING) if r.cell.task != "admission"]
    unstable = Result(some[0].cell, Results.of(metrics_of(some[0].cell, None)))
    found = board(protocol, [unstable, *some[1:]], [Refused("x/metrics.json", "no <method> of that name")])
    json.dumps(found, allow_nan=False)
    page = write_page(found, tmp_path).read_text()
    assert "36 of 48 runs are in" in page and "Not run: admission" in page
    assert "sft against simdistill" in page
    assert "1 unstable" in page and "no &lt;method&gt; of that name" in page
    assert "9.00 of 60.0 updates by reward with a gradient" in page
    assert page.count("<svg") == 5 + len(protocol.tasks) and "http-equiv" in page
    assert "different tasks" not in page
    without = [r for r in some if r.cell.method != "sft"]
    assert "different tasks" not in write_page(board(protocol, without), tmp_path).read_text()
    fewer = [r for r in some if (r.cell.task, r.cell.method) != ("queueing", "sft")]
    assert "different tasks" in write_page(board(protocol, fewer), tmp_path).read_text()
    console = Console(record=True, width=150, quiet=False)
    show(found, console)
    assert "refused x/metrics.json" in console.export_text()


def test_every_method_has_a_look_of_its_own(protocol, metrics_of, tmp_path):
    methods = {f"method_{number}": {"seeds": 1} for number in range(12)}
    many = protocol.model_validate(protocol.model_dump() | {"methods": methods})
    found = [Result(cell, Results.of(metrics_of(cell, 0.1))) for cell in many.cells]
    page = write_page(board(many, found), tmp_path).read_text()
    dots = dict(re.findall(r'<th scope="row"><i style="([^"]+)"></i>(method_\d+)</th>', page))
    assert len(dots) == 12 and set(dots.values()) == set(methods)
    # Lines of the profile: a colour a pair of methods, one solid and one dashed.
    profile = page[page.index("Performance profile") :].split("</svg>")[0]
    drawn = re.findall(r"stroke-dasharray: [\d., ]+", profile)
    assert len(drawn) == 6
