"""What is written is whole or not there, and what it is written to stays what it is."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from simdistill.files import read_json, replacing, replacing_folder, write_json, write_text

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
