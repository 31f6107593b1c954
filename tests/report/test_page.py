"""The report as a reader's browser gets it."""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from simdistill.errors import InputError
from simdistill.report import write_report

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


def edit(folder: Path, name: str, change: Callable[[dict], object]) -> None:
    """Changes one JSON file of a run."""
    value = json.loads((folder / name).read_text())
    change(value)
    (folder / name).write_text(json.dumps(value))


def report(folder: Path) -> Page:
    return Page(write_report(folder).read_text(encoding="utf-8"))


@in_chromium
def test_chromium_shows_every_part(run, tmp_path):
    page = Page(browse(write_report(run), tmp_path / "profile", "--dump-dom"))
    assert re.search(r"The student runs queueing at\s+0\.60%\s+above the optimum", page.text)
    assert "the student is better everywhere it was examined" in page.text
    # Three dot plots, three learning curves, four maps, three policies' queues, two groups of parameter sets.
    assert page.tags["svg"] == 3 + 3 + 4 + 3 + 2
    assert page.classes["question"] == 10
    sections = {"policies", "learning", "decision-map", "episode", "sets", "questions", "making"}
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
def test_what_the_model_wrote_neither_runs_nor_calls_out(run_with, tmp_path):
    with listening() as (address, asked):
        attack = f'</p><script>document.title="taken"</script><img src="{address}/leak" onerror="alert(1)">'
        run = run_with(tmp_path / "run", situation=attack, greedy=attack)
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


def test_page_refers_to_nothing_outside(run):
    text = write_report(run).read_text(encoding="utf-8")
    page = Page(text)
    assert all(address.startswith("#") for address in page.addresses)
    assert not {"script", "link", "iframe", "object", "embed", "img", "base"} & set(page.tags)
    assert not re.search(r"@import|url\((?!#)", text)
    assert "default-src 'none'" in text


def test_references_inside_figures_resolve(run):
    text = write_report(run).read_text(encoding="utf-8")
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    assert used and used <= set(Page(text).ids)


def test_same_run_same_bytes(run):
    assert write_report(run).read_bytes() == write_report(run).read_bytes()


def test_what_a_student_says_in_place_of_answers_is_text(run):
    said = [{"said": "<script>alert(1)</script>", "choices": ["A", "B"]}]
    edit(run, "metrics.json", lambda metrics: metrics.update(said_instead_of_choices=said))
    page = report(run)
    assert "script" not in page.tags and "alert(1)" in page.text
    assert "said none of the choices in any answer" in page.text


def test_names_from_a_task_are_words_never_markup(run):
    edit(run, "metrics.json", lambda metrics: metrics["policies"]["teacher"].update(title="<b>$x_1$</b>"))
    text = write_report(run).read_text(encoding="utf-8")
    assert "<b>$x_1$" not in text
    assert "<b>$x_1$</b>" in Page(text).text


@pytest.mark.parametrize(
    ("part", "section"),
    [
        ("decision_map", "decision-map"),
        ("episode", "episode"),
        ("sets", "sets"),
        ("questions", "questions"),
    ],
)
def test_missing_parts_are_left_out(run, part, section):
    assert section in report(run).ids
    edit(run, "examination.json", lambda examination: examination.pop(part))
    assert section not in report(run).ids


def test_least_run_that_can_be_reported(tmp_path):
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    (tmp_path / "metrics.json").write_text(json.dumps({"policies": {"student": {}}}))
    assert "headline" in report(tmp_path).ids


def test_process_that_is_not_two_dimensional_has_no_map(run):
    edit(
        run, "examination.json", lambda examination: examination["decision_map"].update(axes=["A", "B", "C"])
    )
    assert "decision-map" not in report(run).ids


def test_unstable_student_is_said_to_be_unstable(run):

    def grow(metrics: dict) -> None:
        metrics["policies"]["student"]["cost"]["default"] = {"mean": None, "unstable": True}
        metrics["policies"]["student"]["over_reference"]["default"] = None
        metrics["over_reference"]["default"] = metrics["heuristic_gap_closed"]["default"] = None

    edit(run, "metrics.json", grow)
    text = report(run).text
    assert "The student lets queueing grow without end" in text
    assert "worse at the default parameters" in text


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        ({"mean": 0.7, "ci95": [0.4, 0.9]}, "better everywhere"),
        ({"mean": 0.2, "ci95": [-0.1, 0.5]}, "not clearly different out of distribution"),
        ({"mean": -0.4, "ci95": [-0.7, -0.1]}, "worse out of distribution"),
        (None, "undecided out of distribution"),
    ],
)
def test_verdict_follows_the_interval(run, gap, said):
    edit(run, "metrics.json", lambda metrics: metrics["heuristic_gap_closed"].update(out_of_distribution=gap))
    assert said in report(run).text


def test_agreement_weighs_states_by_time(run):
    small = {
        "axes": ["A", "B"],
        "labels": ["A", "B"],
        "parameters": {},
        "policies": {"optimum": [["A", "A"], ["B", None]], "student": [["A", "B"], ["B", None]]},
        "stationary": [[0.7, 0.05], [0.25, 0.0]],
    }
    edit(run, "examination.json", lambda examination: examination.update(decision_map=small))
    text = report(run).text
    assert "states that hold 95.00% of the time" in text
    assert "differs in 1 of 3 states" in text


def test_large_map_is_cut_and_says_so(run):
    side = range(40)
    large = {
        "axes": ["A", "B"],
        "labels": ["A", "B"],
        "parameters": {},
        "policies": {name: [["A" for _ in side] for _ in side] for name in ("optimum", "student")},
        "stationary": [[1 / 1600 for _ in side] for _ in side],
    }
    edit(run, "examination.json", lambda examination: examination.update(decision_map=large))
    assert "maps end at 29" in report(run).text


def test_simulation_that_misses_is_counted(run):

    def miss(metrics: dict) -> None:
        metrics["policies"]["student"]["cost"]["default"]["simulated"]["ci95"] = [9.0, 9.5]

    edit(run, "metrics.json", miss)
    assert "14 of 15 exact costs lie inside" in report(run).text


def test_failed_rollouts_are_listed(run):
    edit(
        run,
        "metrics.json",
        lambda metrics: metrics.update(failed_rollouts=["Queueing: NaN cost (episode 3)"]),
    )
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
    with pytest.raises(InputError, match=rf"{name} can't be read"):
        write_report(run)
