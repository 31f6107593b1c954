"""Atomic file writing: a file is written under a temporary name, then renamed, so it is never incomplete."""

import codecs
import errno
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

    If `path` is a link, the file that it points to is replaced. A pipe, a terminal, another file that isn't
    regular, and a file in a folder that isn't writable are written to when the block ends.

    Raises:
        InputError: If `path` is a folder, a link that leads back to itself, or can't be written.
    """
    path, descriptor = _resolved(Path(path))
    temporary = _beside(path)
    try:
        if descriptor is not None or _written_in_place(path):
            with tempfile.TemporaryDirectory() as folder:
                yield Path(folder) / "written"
                _pour(Path(folder) / "written", path if descriptor is None else os.dup(descriptor))
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            if path.is_file():
                shutil.copymode(path, temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        told = isinstance(error.filename, str) and Path(error.filename) in (temporary, path, *path.parents)
        if not told or error.errno not in _NO_PLACE:
            raise
        reason = os.strerror(error.errno)
        raise InputError(
            f"{path} can't be written: {reason}; name a file elsewhere, or change the rights"
        ) from None


def check_target(path: Path | str) -> None:
    """Checks what a file will be written to, before the work whose result it will hold.

    Raises:
        InputError: As `replacing` does, as far as it can be told beforehand.
    """
    resolved, descriptor = _resolved(Path(path))
    if descriptor is None:
        _written_in_place(resolved)


_NO_PLACE = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EBUSY
)  # fmt: skip
"""What goes wrong where a file can't be, unlike a full disk."""
_LONGEST_NAME = 255
"""Bytes that the name of a file may have in usual file systems."""


def _beside(path: Path) -> Path:
    """Returns the temporary path of what replaces a file; it has a short name of its own if it must."""
    name = f".{path.name}.{os.getpid()}.tmp"
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}.{os.getpid()}.tmp"
    return path.with_name(name)


def _written_in_place(path: Path) -> bool:
    """Whether what is there is written to, since it is no regular file or nothing can be put beside it.

    Raises:
        InputError: If it is a folder, or a file that may not be written.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file to write to")
    if not path.exists():
        return False
    if not os.access(path, os.W_OK):
        raise InputError(f"{path} is read-only; name another file, or change the rights")
    return not path.is_file() or not os.access(path.parent, os.W_OK)


def _resolved(path: Path) -> tuple[Path, int | None]:
    """Returns a path without links, and the descriptor of the open file that it stands for.

    Only a path such as /dev/stdout stands for an open file; for others the descriptor is None.
    """
    for _ in range(40):  # Linux follows at most 40 links
        if opened := OPEN_FILE.fullmatch(str(path)):
            try:
                os.fstat(int(opened[1]))
            except (OSError, OverflowError):
                raise InputError(f"{path} is no open file of this process; name a file to write to") from None
            return path, int(opened[1])
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    else:
        raise InputError(f"{path} is a link that leads to itself; name another file to write to")
    return path.resolve(), None


def is_plain(path: Path) -> bool:
    """Returns whether a path is a regular file, and no link.

    If an output is written to a path that isn't plain, it may go to a pipe or to /dev/stdout, and whatever
    else is printed there would spoil it.
    """
    return path.is_file() and not path.is_symlink()


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


def read_text(path: Path | str) -> str:
    """Returns the text of a user's file, which is in UTF-8, or in UTF-16 or UTF-32 as its first bytes say.

    Raises:
        InputError: If the file has another encoding, or is no text file.
        OSError: If the file can't be read.
    """
    data = Path(path).read_bytes()
    if data.startswith(b"PK\x03\x04"):
        raise InputError(
            f"{path}: is a workbook or an archive; save the table in it as UTF-8 text, CSV UTF-8"
        )
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None) or _unmarked(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"byte {data[error.start]:#04x} in line {line} is not {encoding.removesuffix('-sig').upper()}"
        raise InputError(f"{path}: {found}; save it as UTF-8 text (in Excel: CSV UTF-8)") from None
    if "\0" in text:
        raise InputError(f"{path}: is no text file; save it as UTF-8 text (in Excel: CSV UTF-8)")
    return text


_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like the one of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, and the encoding that each one stands for."""


def _unmarked(data: bytes) -> str:
    """Returns the encoding of a text without a byte order mark.

    It is UTF-16 if every other byte at the beginning is 0, as in ASCII characters, and UTF-8 otherwise.
    """
    even, odd = data[0:16:2], data[1:16:2]
    if len(data) % 2 == 0 and data and not any(odd) and all(even):
        return "utf-16-le"
    if len(data) % 2 == 0 and data and not any(even) and all(odd):
        return "utf-16-be"
    return "utf-8"


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

    Raises:
        InputError: If there is a file.
    """
    path = path.resolve()
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file; name a folder to write to, or remove it")
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
