"""The report as a reader's browser gets it."""

import csv
import io
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from markupsafe import Markup

from simdistill import registry
from simdistill.errors import InputError
from simdistill.report import write_report
from simdistill.report.figures import Figure, Shown
from simdistill.results import Results

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
in_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome here"
)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Page(HTMLParser):
    """Counts elements, and keeps text by the id of the section around it."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: dict[str, int] = {}
        self.classes: dict[str, int] = {}
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "class":
                for word in (value or "").split():
                    self.classes[word] = self.classes.get(word, 0) + 1
            if name in ("src", "srcset", "href", "xlink:href", "action", "data", "poster", "background"):
                self.addresses.append(value or "")
            assert not name.startswith("on"), f"{tag} has a script in {name}"

    def handle_data(self, data: str) -> None:
        self.text += data


@contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine and the list of the paths that were asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def browse(page: Path, profile: Path, *flags: str) -> str:
    """What headless Chromium prints for a page."""
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()]
    return subprocess.run(command, capture_output=True, timeout=120, check=True).stdout.decode()


def report(folder: Path) -> Page:
    return Page(write_report(folder).read_text(encoding="utf-8"))


def section(text: str, name: str) -> str:
    """The markup of a section, with those of the same part that have no heading behind it."""
    begin = text.index(f'<section id="{name}"')
    return text[begin : text.index('<section id="', begin + 1)]


@in_chromium
def test_chromium_shows_every_part(good_run, tmp_path):
    page = Page(browse(write_report(good_run), tmp_path / "profile", "--dump-dom"))
    assert re.search(r"The student runs queueing at\s+\d+\.\d+%\s+above the optimum", page.text)
    # Dots by setting, learning curves, reliability, maps, an episode's queues, groups of parameter sets.
    assert page.tags["svg"] == 3 + 3 + 1 + 4 + 3 + 2
    assert page.classes["question"] == 2
    sections = {
        "policies",
        "learning",
        "forecasts",
        "decision-map",
        "episode",
        "sets",
        "questions",
        "making",
        "mistakes",
    }
    assert sections <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


@in_chromium
def test_chromium_draws_the_page(run, tmp_path):
    picture = tmp_path / "page.png"
    page = write_report(run)
    browse(page, tmp_path / "profile", f"--screenshot={picture}", "--window-size=1200,5600")
    blank = tmp_path / "blank.html"
    blank.write_text("<!doctype html>")
    empty = tmp_path / "blank.png"
    browse(blank, tmp_path / "profile", f"--screenshot={empty}", "--window-size=1200,5600")
    assert picture.stat().st_size > 10 * empty.stat().st_size


@in_chromium
def test_what_the_model_wrote_neither_runs_nor_calls_out(run, edit_task, tmp_path):
    with listening() as (address, asked):
        attack = f'</p><script>document.title="taken"</script><img src="{address}/leak" onerror="alert(1)">'
        said = {"situation": attack, "greedy": attack, "valid": False}
        edit_task(run, "examination.json", lambda task: task["questions"][0].update(said))
        dumped = browse(write_report(run), tmp_path / "profile", "--dump-dom")
        assert asked == []
        # The same picture in a page of its own is asked for, so silence above means something.
        (tmp_path / "open.html").write_text(f'<!doctype html><img src="{address}/control">')
        browse(tmp_path / "open.html", tmp_path / "profile", "--dump-dom")
        assert "/control" in asked
    page = Page(dumped)
    assert "script" not in page.tags and "img" not in page.tags
    assert page.text.count('document.title="taken"') == 2
    assert "<title>taken" not in dumped


def test_every_part_of_a_run_is_shown(run):
    page = report(run)
    assert page.tags["svg"] == 3 + 3 + 1 + 4 + 3 + 2
    sections = {
        "policies",
        "learning",
        "forecasts",
        "decision-map",
        "episode",
        "sets",
        "questions",
        "making",
        "mistakes",
    }
    assert sections <= set(page.ids) and len(page.ids) == len(set(page.ids))


def test_a_round_on_the_students_own_states_is_marked_in_each_curve(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert len({row["round"] for row in rows if "loss" in row}) == 2
    learning = section(write_report(run).read_text(encoding="utf-8"), "learning")
    assert "A dashed line is where a new round began" in learning
    curves = learning.split("<svg")[1:]
    assert [curve.count("stroke-dasharray") for curve in curves] == [1, 1, 1]


def test_a_run_of_one_round_has_no_mark(run):
    lines = (run / "metrics.jsonl").read_text().splitlines()
    (run / "metrics.jsonl").write_text(
        "".join(f"{line}\n" for line in lines if json.loads(line)["round"] == 0)
    )
    learning = section(write_report(run).read_text(encoding="utf-8"), "learning")
    assert "dashed" not in learning and "stroke-dasharray" not in learning


def test_a_page_has_a_part_for_each_task(good_run, edit):
    def twice(document: dict) -> None:
        document["tasks"].append(document["tasks"][0] | {"task": "another"})

    edit(good_run, "metrics.json", twice)
    edit(good_run, "examination.json", twice)
    page = report(good_run)
    assert len(page.ids) == len(set(page.ids))
    assert {"policies-queueing", "policies-another", "decision-map-another", "making"} <= set(page.ids)
    assert page.text.count("What each policy costs") == 2 and page.text.count("How it was made") == 1


class Decisions(Figure):
    """A figure of a third party."""

    order = 70

    def __call__(self, record):
        return Shown("Decisions", Markup("<p>drawn</p>"), f"{record.run.decisions_per_second:.0f} a second")


def test_an_installed_figure_stands_on_the_page_in_its_place(run, own_registry):
    registry.register("decisions", f"{__name__}:Decisions", kind="figures")
    page = report(run)
    assert page.ids.index("sets") < page.ids.index("decisions") < page.ids.index("questions")
    assert "drawn" in page.text


def test_page_refers_to_nothing_outside(run):
    text = write_report(run).read_text(encoding="utf-8")
    page = Page(text)
    assert all(address.startswith(("#", "data:text/csv;")) for address in page.addresses)
    assert not {"script", "link", "iframe", "object", "embed", "img", "base"} & set(page.tags)
    assert not re.search(r"@import|url\((?!#)", text)
    assert "default-src 'none'" in text


def test_references_inside_figures_resolve(run):
    text = write_report(run).read_text(encoding="utf-8")
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    assert used and used <= set(Page(text).ids)


def test_same_run_same_bytes(run):
    assert write_report(run).read_bytes() == write_report(run).read_bytes()


def test_what_a_student_says_in_place_of_answers_is_text(run, edit_task):
    said = [{"said": "<script>alert(1)</script>", "choices": ["A", "B"]}]
    edit_task(run, "metrics.json", lambda task: task.update(said_instead_of_choices=said))
    page = report(run)
    assert "script" not in page.tags and "alert(1)" in page.text
    assert "said none of the choices in any answer" in page.text


def test_names_from_a_task_are_words_never_markup(run, edit_task):
    edit_task(run, "metrics.json", lambda task: task["policies"]["teacher"].update(title="<b>$x_1$</b>"))
    text = write_report(run).read_text(encoding="utf-8")
    assert "<b>$x_1$" not in text
    assert "<b>$x_1$</b>" in Page(text).text


@pytest.mark.parametrize(
    ("part", "section"),
    [
        ("decision_map", "decision-map"),
        ("mistakes", "mistakes"),
        ("episode", "episode"),
        ("sets", "sets"),
        ("questions", "questions"),
    ],
)
def test_missing_parts_are_left_out(run, edit_task, part, section):
    assert section in report(run).ids
    edit_task(run, "examination.json", lambda task: task.pop(part))
    assert section not in report(run).ids


def test_a_run_of_which_only_the_results_are_left_is_reported(run):
    for name in ("metrics.jsonl", "examination.json", "environment.json"):
        (run / name).unlink()
    (run / "config.yaml").write_text("seed: 0\n")
    assert {"headline", "policies", "making"} <= set(report(run).ids)


def test_a_run_of_the_layout_before_is_reported(tmp_path):
    """Its files are those of a leaderboard's cell."""
    cell = Path(__file__).parents[2] / "benchmarks" / "results" / "cpu-v1" / "queueing-sft-0"
    for name in ("config.yaml", "metrics.json", "environment.json"):
        shutil.copy(cell / name, tmp_path)
    assert re.search(r"The student runs queueing at\s+\d+\.\d+%", report(tmp_path).text)


def test_results_of_an_unknown_layout_are_refused_with_a_reason(run, edit):
    edit(run, "metrics.json", lambda metrics: metrics.update(layout=99))
    with pytest.raises(InputError, match=r"metrics.json: its layout is 99, but this .* reads 2 and 3"):
        write_report(run)


def test_process_that_is_not_two_dimensional_has_no_map(run, edit_task):
    edit_task(run, "examination.json", lambda task: task["decision_map"].update(axes=["A", "B", "C"]))
    assert "decision-map" not in report(run).ids


WRONG = {
    "parameters": {"arrival_rate": 2.0},
    "visited_by": "student",
    "by_fit": False,
    "states": 3,
    "frequency": 0.031,
    "regret": 0.04,
    "worst": [
        {"situation": "Jobs A 3,\nB <1>", "student": "B", "best": "A", "cost": 2.15, "frequency": 0.012,
         "share": 0.6},
        {"situation": "Jobs A 2", "student": "B", "best": "A", "cost": 0.5, "frequency": 0.01,
         "share": 0.125},
    ],
}  # fmt: skip


def test_the_worst_mistakes_are_shown_with_what_they_cost(good_run, edit_task):
    edit_task(good_run, "examination.json", lambda task: task.update(mistakes=WRONG))
    text = " ".join(section(write_report(good_run).read_text(encoding="utf-8"), "mistakes").split())
    assert "doesn&#39;t take the best choice in 3 states, in which 3.1% of the decisions are made" in text
    assert "A decision costs 0.04 too much on average" in text or "0.040" in text
    assert "The 2 worst explain 72.5% of it." in text and "Parameters: arrival rate 2." in text
    assert "Jobs A 3, B &lt;1&gt;" in text
    for figure in ("2.15", "1.2%", "60.0%"):
        assert f'<td class="n">{figure}</td>' in text
    edit_task(good_run, "examination.json", lambda task: task["mistakes"].update(by_fit=True, states=2))
    text = " ".join(section(write_report(good_run).read_text(encoding="utf-8"), "mistakes").split())
    assert "By the teacher&#39;s fit, which estimates" in text and "worst explain" not in text


def test_of_an_unstable_student_states_count_as_under_the_optimum(run):
    text = report(run).text
    assert "states count as often as they occur under the exact optimum" in " ".join(text.split())


def test_the_table_of_results_is_there_as_csv(good_run):
    (address,) = [one for one in report(good_run).addresses if one.startswith("data:")]
    table = unquote(address.partition(",")[2])
    rows = list(csv.DictReader(io.StringIO(table)))
    (task,) = Results.read(good_run / "metrics.json").tasks
    assert {row["policy"] for row in rows} == set(task.policies)
    (row,) = [one for one in rows if (one["policy"], one["setting"]) == ("optimum", "default")]
    cost = task.policies["optimum"].cost["default"]
    assert cost is not None and float(row["cost"]) == cost.mean and row["exact"] == "true"
    random = [one for one in rows if one["policy"] == "random"]
    assert all(one["cost"] == "" and one["unstable"] == "true" for one in random)


def test_generations_say_what_they_saved_and_where_they_could_not_tell(run, edit_task):
    generation = {
        "generation": 2,
        "accepted": False,
        "improvement": {"mean": 0.021, "ci95": [-0.004, 0.046]},
        "states": 1234,
        "simulator_steps": 5,
        "futures_coupled": 0.5,
        "states_unsettled": 17,
    }
    edit_task(run, "metrics.json", lambda task: task["generations"].append(generation))
    page = write_report(run).read_text(encoding="utf-8")
    assert "2.1%" in page and "-0.4 to 4.6%".replace("-", "−") in page
    assert '<td class="n">no</td><td class="n">1,234</td><td class="n">17</td>' in page
    assert "became the policy" in page


def test_unstable_student_is_said_to_be_unstable(run):
    text = report(run).text
    assert "The student lets queueing grow without end" in text
    assert "the student is worse everywhere it was examined" in text


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        ({"mean": 0.7, "ci95": [0.4, 0.9]}, "better everywhere"),
        ({"mean": 0.2, "ci95": [-0.1, 0.5]}, "not clearly different out of distribution"),
        ({"mean": -0.4, "ci95": [-0.7, -0.1]}, "worse out of distribution"),
        (None, "undecided out of distribution"),
    ],
)
def test_verdict_follows_the_interval(good_run, edit_task, gap, said):
    better = {"mean": 0.85, "ci95": [0.74, 0.93]}
    gaps = {"default": better, "in_distribution": better, "out_of_distribution": gap}
    edit_task(good_run, "metrics.json", lambda task: task["measures"].update(heuristic_gap_closed=gaps))
    assert said in report(good_run).text


def test_agreement_weighs_states_by_time(run, edit_task):
    small = {
        "axes": ["A", "B"],
        "labels": ["A", "B"],
        "parameters": {},
        "policies": {"optimum": [["A", "A"], ["B", None]], "student": [["A", "B"], ["B", None]]},
        "stationary": [[0.7, 0.05], [0.25, 0.0]],
    }
    edit_task(run, "examination.json", lambda task: task.update(decision_map=small))
    text = report(run).text
    assert "states that hold 95.00% of the time" in text
    assert "differs in 1 of 3 states" in text


def test_large_map_is_cut_and_says_so(run, edit_task):
    side = range(40)
    large = {
        "axes": ["A", "B"],
        "labels": ["A", "B"],
        "parameters": {},
        "policies": {name: [["A" for _ in side] for _ in side] for name in ("optimum", "student")},
        "stationary": [[1 / 1600 for _ in side] for _ in side],
    }
    edit_task(run, "examination.json", lambda task: task.update(decision_map=large))
    assert "maps end at 29" in report(run).text


def test_simulation_that_misses_is_counted(run, edit_task):
    def inside() -> tuple[int, int]:
        found = re.search(r"(\d+) of (\d+) exact costs lie inside", report(run).text)
        assert found is not None
        return int(found[1]), int(found[2])

    def place(ci95: list[float]):
        return lambda task: task["policies"]["optimum"]["cost"]["default"]["simulated"].update(ci95=ci95)

    edit_task(run, "metrics.json", place([0.0, 99.0]))
    hits, of = inside()
    edit_task(run, "metrics.json", place([98.0, 99.0]))
    assert inside() == (hits - 1, of)


def test_failed_rollouts_are_listed(run, edit_task):
    failed = ["Queueing: NaN cost (episode 3)"]
    edit_task(run, "metrics.json", lambda task: task.update(failed_rollouts=failed))
    assert "1 failed rollout," in report(run).text and "NaN cost (episode 3)" in report(run).text


@pytest.mark.parametrize("name", ["metrics.json", "config.yaml"])
def test_unfinished_run(run, name):
    (run / name).unlink()
    with pytest.raises(InputError, match=rf"has no {name}.*resume="):
        write_report(run)
    assert not (run / "report.html").exists()


@pytest.mark.parametrize("name", ["metrics.json", "examination.json", "metrics.jsonl"])
def test_damaged_file_is_named(run, name):
    (run / name).write_text('{"policies": \n')
    with pytest.raises(InputError, match=rf"{name}:? (it )?can't be read"):
        write_report(run)
