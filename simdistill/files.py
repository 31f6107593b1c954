"""Atomic file writing: a file is written under a temporary name, then renamed, so it is never incomplete."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from simdistill.errors import InputError

OPEN_FILE = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
"""Paths that stand for this process's open files; /dev/stdout is a link to one of them."""


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yields a temporary path, whose file replaces that of `path` when the block ends without an error.

    If `path` is a link, the file that it points to is replaced. A pipe, a terminal or another file that isn't
    regular is written to when the block ends.
    """
    path, descriptor = _resolved(Path(path))
    if descriptor is not None or (path.exists() and not path.is_file() and not path.is_dir()):
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder) / "written"
            yield temporary
            _pour(temporary, path if descriptor is None else os.dup(descriptor))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if path.is_file():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _resolved(path: Path) -> tuple[Path, int | None]:
    """Returns a path without links, and the descriptor of the open file that it stands for.

    Only a path such as /dev/stdout stands for an open file; for others the descriptor is None.
    """
    for _ in range(40):  # Linux follows at most 40 links
        if opened := OPEN_FILE.fullmatch(str(path)):
            return path, int(opened[1])
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return path.resolve(), None


def _pour(source: Path, target: Path | int) -> None:
    """Copies a file's contents to a path, or to an open file at its present position."""
    with source.open("rb") as stream, open(target, "wb") as out:
        shutil.copyfileobj(stream, out)


def write_text(path: Path | str, text: str) -> None:
    """Writes a UTF-8 text file atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path | str, value: Any) -> None:
    """Writes an indented JSON file atomically; NaN and infinity are refused, as they aren't JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_lines(path: Path | str, rows: Iterable[dict]) -> None:
    """Writes a file of JSON lines atomically."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))


def read_json(path: Path | str) -> Any:
    """Reads a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def read_lines(path: Path | str) -> list[dict]:
    """Reads a file of JSON lines; an incomplete last line, left by a killed run, is ignored."""
    rows = []
    for line in Path(path).read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            rows.append(json.loads(line))
    return rows


def sha256(path: Path) -> str:
    """Returns the SHA-256 checksum of a file in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns an error of writing in the block, such as a full disk, into an `InputError` that names `path`."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise InputError(f"Could not write to {path}: {error}. Make room or choose another place.") from error


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yields a new empty folder, which replaces the folder `path` when the block ends without an error.

    If `path` is a link, the folder that it points to is replaced.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"))
    try:
        yield temporary
        temporary.chmod(0o755)
        if path.exists():
            previous = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".old"))
            path.rename(previous / path.name)
            temporary.rename(path)
            shutil.rmtree(previous)
        else:
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
