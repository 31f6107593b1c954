"""The built site: it is built strictly, and nothing on it needs the network."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    result = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return folder


class Resources(HTMLParser):
    """Collects what a browser loads by itself for a page."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        values = {name: value or "" for name, value in attrs}
        if tag in ("script", "img", "iframe", "source", "video", "audio", "embed") and values.get("src"):
            self.found.append(values["src"])
        if tag == "link" and values.get("rel") not in ("canonical", "next", "prev", "edit"):
            self.found.append(values["href"])


def test_no_page_loads_anything_from_the_network(site):
    pages = [page for page in site.rglob("*.html") if "files" not in page.relative_to(site).parts]
    assert len(pages) > 40
    for page in pages:
        text = page.read_text(encoding="utf-8")
        resources = Resources()
        resources.feed(text)
        assert resources.found
        for address in resources.found:
            assert not re.match(r"(https?:)?//", address), f"{page}: {address}"
        assert 'class="mermaid"' not in text  # the theme would load its renderer


def test_no_style_and_no_figure_loads_anything_from_the_network(site):
    for path in [*site.rglob("*.css"), *site.glob("figures/*.svg")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"url\(['\"]?(https?:)?//|@import\s+['\"]http|href=['\"]http", text), path


def test_the_search_index_has_pages_and_settings(site):
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert "clairvoyance" in index.lower() and "distill.temperature" in index


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome here")
def test_search_works_from_files_without_a_network(site, tmp_path):
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={tmp_path}"]
    offline = ["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=60000", "--dump-dom"]
    address = f"{(site / 'index.html').as_uri()}?q=clairvoyance"
    page = subprocess.run(
        [str(CHROMIUM), *flags, *offline, address], capture_output=True, text=True, timeout=120
    )
    assert re.search(r"[1-9]\d* matching document", page.stdout)


def test_the_reference_has_settings_commands_and_classes(site):
    def text(name: str) -> str:
        return (site / "reference" / f"{name}.html").read_text(encoding="utf-8")

    assert (
        "student.lora.r" in text("settings") and "--against" in text("cli") and "ProcessModel" in text("api")
    )


def test_files_that_pages_link_to_are_there(site):
    for page in site.glob("results/*.html"):
        for link in re.findall(r'href="(\.\./files/[^"#]+)"', page.read_text(encoding="utf-8")):
            assert (page.parent / link).is_file(), f"{page}: {link}"
