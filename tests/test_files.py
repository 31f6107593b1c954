"""What is written is whole or not there, and what it is written to stays what it is."""

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from simdistill.config import compose
from simdistill.errors import InputError
from simdistill.files import read_json, read_text, replacing, replacing_folder, write_json, write_text
from simdistill.runs.record import Record
from simdistill.scaffold import new

TRACE = [sys.executable, "-m", "simdistill", "trace", "task=queueing", "task.horizon=20", "task.warm_up=0"]


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"one": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"one": float("nan")})
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(path) == {"one": 1} and os.listdir(tmp_path) == ["a.json"]


def test_a_link_stays_and_its_file_is_written(tmp_path):
    target, link, chain = tmp_path / "there" / "target", tmp_path / "link", tmp_path / "chain"
    target.parent.mkdir()
    link.symlink_to(Path("there") / "target")
    chain.symlink_to(link)
    for text in ("new", "again"):  # it isn't there, then it is
        write_text(chain, text)
        assert target.read_text() == text
    assert chain.is_symlink() and link.is_symlink() and not target.is_symlink()


def test_the_folder_behind_a_link_is_replaced(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.mkdir()
    link.symlink_to(target)
    with replacing_folder(link) as temporary:
        (temporary / "new").touch()
    assert link.is_symlink() and os.listdir(target) == ["new"]


def test_permissions_stay(tmp_path):
    path = tmp_path / "secret"
    path.touch(mode=0o600)
    write_text(path, "hidden")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_written_to(tmp_path):
    pipe, heard = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    reader.start()
    write_text(pipe, "said")
    reader.join(timeout=10)
    assert heard == ["said"] and pipe.is_fifo()


@pytest.mark.skipif(not Path("/dev/null").is_char_device(), reason="needs /dev/null")
def test_a_device_stays_a_device():
    write_text("/dev/null", "nothing")
    assert Path("/dev/null").is_char_device()


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="needs /dev/stdout")
def test_standard_output_can_be_piped_and_redirected(tmp_path):
    piped = subprocess.run([*TRACE, "-o", "/dev/stdout"], capture_output=True, check=True, cwd=tmp_path)
    with (tmp_path / "redirected").open("wb") as stream:
        stream.write(b"before\n")
        stream.flush()
        subprocess.run([*TRACE, "-o", "/dev/stdout"], stdout=stream, check=True, cwd=tmp_path)
    assert [json.loads(line) for line in piped.stdout.splitlines()]
    assert (tmp_path / "redirected").read_bytes() == b"before\n" + piped.stdout
    assert b"entries until" in piped.stderr


def test_a_folder_or_a_circle_of_links_is_refused(tmp_path):
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    with pytest.raises(InputError, match="is a link that leads to itself"):
        write_text(tmp_path / "one", "text")
    with pytest.raises(InputError, match="is a folder; name a file"):
        write_text(tmp_path, "text")
    assert (tmp_path / "one").is_symlink() and not list(tmp_path.glob(".*"))


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match=r"file/new can't be written: File exists; name a file elsewhere"):
        write_text(tmp_path / "file" / "new", "text")
    with (
        pytest.raises(InputError, match="file is a file; name a folder"),
        replacing_folder(tmp_path / "file"),
    ):
        pass
    assert (tmp_path / "file").read_text() == "mine"


def test_a_file_that_may_not_be_written_stays(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr(os, "access", lambda path, right: Path(path) != tmp_path / "file")
    with pytest.raises(InputError, match="file is read-only; name another file"):
        write_text(tmp_path / "file", "text")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_file_is_written_where_none_can_be_put_beside_it(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("old and longer")
    before = (tmp_path / "file").stat().st_ino
    monkeypatch.setattr(os, "access", lambda path, right: Path(path) != tmp_path)
    write_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new" and (tmp_path / "file").stat().st_ino == before


def test_a_place_without_files_is_told(tmp_path):
    def refuse(path: Path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    told = pytest.raises(InputError, match=r"new can't be written: Permission denied; name")
    with told, replacing(tmp_path / "new") as temporary:
        refuse(temporary)
    with pytest.raises(PermissionError), replacing(tmp_path / "new"):
        refuse(Path("/another"))


@pytest.mark.parametrize("name", ["a" * 255, "ü" * 127, "b" * 240])
def test_long_names_are_written(tmp_path, name):
    write_text(tmp_path / name, "text")
    assert os.listdir(tmp_path) == [name]


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
@pytest.mark.parametrize("number", ["987654", "9" * 30])
def test_an_open_file_that_is_not_open_is_refused(number):
    with pytest.raises(InputError, match="is no open file of this process"):
        write_text(f"/dev/fd/{number}", "text")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_text_is_read_in_any_unicode(encoding, tmp_path):
    (tmp_path / "text").write_bytes("day;staff\nMärz".encode(encoding))
    assert read_text(tmp_path / "text") == "day;staff\nMärz"


def ends(path: Path) -> bool:
    """Whether a page or a file of JSON is whole."""
    text = path.read_text(encoding="utf-8")
    return text.rstrip().endswith("</html>") or json.loads(text) is not None


VERBS = {
    "trace": [*TRACE, "--format", "ocel", "-o", "OUT"],
    "verify": [sys.executable, "-m", "simdistill", "verify", "newsvendor", "--quick", "--json", "OUT"],
}
"""Verbs that write to a file of a given name."""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("verb", VERBS)
def test_verbs_write_through_links_pipes_and_standard_output(verb, tmp_path):
    def call(target: str) -> subprocess.CompletedProcess:
        command = [target if word == "OUT" else word for word in VERBS[verb]]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)

    (tmp_path / "link").symlink_to("target")
    call("link")
    assert (tmp_path / "link").is_symlink() and ends(tmp_path / "target")
    os.mkfifo(tmp_path / "pipe")
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append((tmp_path / "pipe").read_text()))
    reader.start()
    call("pipe")
    reader.join(timeout=60)
    assert (tmp_path / "pipe").is_fifo() and json.loads(heard[0])
    assert json.loads(call("/dev/stdout").stdout), "nothing else may be written beside it"


def test_new_writes_through_no_link(tmp_path):
    """It writes new files only: a link that leads nowhere is something that is there."""
    (tmp_path / "clinic.py").symlink_to(tmp_path / "elsewhere.py")
    command = [sys.executable, "-m", "simdistill", "new", "clinic"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2 and "clinic.py exists already, and nothing was written" in done.stderr
    assert os.listdir(tmp_path) == ["clinic.py"]


def test_new_writes_nothing_where_a_file_is_in_place_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").touch()
    with pytest.raises(InputError, match="tasks is no folder, and nothing was written"):
        new("clinic")
    assert os.listdir(tmp_path) == ["tasks"]


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_tell_a_wrong_target_before_they_work(verb, tmp_path):
    command = [str(tmp_path) if word == "OUT" else word for word in VERBS[verb]]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"simdistill: {tmp_path} is a folder; name a file to write to\n"


def test_a_board_writes_its_page_through_a_link(tmp_path):
    board = tmp_path / "board"
    shutil.copytree(Path(__file__).parents[1] / "benchmarks" / "results" / "cpu-v2", board)
    (board / "leaderboard.html").unlink(missing_ok=True)
    (board / "leaderboard.html").symlink_to(tmp_path / "page.html")
    command = [sys.executable, "-m", "simdistill", "leaderboard", str(board)]
    subprocess.run(command, capture_output=True, check=True)
    assert (board / "leaderboard.html").is_symlink() and ends(tmp_path / "page.html")


def test_a_run_is_not_begun_where_a_file_is(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone" / "run")
    for name in ("file", "nowhere"):
        with pytest.raises(InputError, match="Could not write to"):
            Record.new(compose(["task=queueing", f"output={tmp_path / name}"])[0])
