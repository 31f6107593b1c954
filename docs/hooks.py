"""Hooks of the documentation's build: tables that the code writes, and files that pages link to.

A page marks the place of a table by `<!-- settings -->` or `<!-- commands -->`. A page may link to any file
of the repository; the file is copied into the site, so that the link works without a network.
"""

import re
from collections.abc import Callable
from pathlib import Path
from posixpath import normpath
from typing import Any

import typer
from mkdocs.structure.files import File

from simdistill.cli import app
from simdistill.config.parameters import Bounds, Range
from simdistill.config.reference import Described, described, fields

ROOT = Path(__file__).parents[1]
COPIES = "files"
"""Folder of the site that holds copies of the repository's files."""
LINK = re.compile(r"\]\((?P<target>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")
SECTIONS = {
    "": "The fields of the whole run",
    "task": "What is simulated, with which parameters, and in which words the student is told of it",
    "teacher": "Who labels decisions, and how many states are searched",
    "student": "The model that is trained",
    "method": "The method of training",
    "distill": "The loss, its optimiser, and its budget",
    "evaluation": "The examination",
    "compute": "Where simulations run",
    "Range": "A range from which a parameter is drawn",
    "Bounds": "Bounds that a drawn parameter set must keep",
}
"""Section of a run's fields -> the sentence above its table."""


def on_files(files: Any, config: Any) -> Any:
    """Adds the repository's files that pages link to."""
    for page in list(files.documentation_pages()):
        for match in LINK.finditer(Path(page.abs_src_path).read_text(encoding="utf-8")):
            path = _outside(page.src_uri, match["target"])
            if path and (ROOT / path).is_file() and f"{COPIES}/{path}" not in files.src_uris:
                files.append(File.generated(config, f"{COPIES}/{path}", abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fills in tables, and directs links out of the documentation to the copies of their files."""
    for name, table in TABLES.items():
        if f"<!-- {name} -->" in markdown:
            markdown = markdown.replace(f"<!-- {name} -->", table())
    up = "../" * page.file.src_uri.count("/")

    def directed(match: re.Match[str]) -> str:
        path = _outside(page.file.src_uri, match["target"])
        return f"]({up}{COPIES}/{path}{match['anchor'] or ''})" if path else match[0]

    return LINK.sub(directed, markdown)


def _outside(page: str, target: str) -> str | None:
    """Returns the path, from the repository's root, of a link's target; None within the documentation."""
    path = normpath(f"docs/{page}/../{target}")
    return None if path.startswith("docs/") else path


def settings() -> str:
    """Returns tables of all fields of a run, one table for each section."""
    tables: dict[str, list[str]] = {}
    for field in fields():
        section = field.name.split(".")[0] if "." in field.name else ""
        tables.setdefault(section, []).append(_row(field))
    for kind in (Range, Bounds):
        tables[kind.__name__] = [_row(described(name, field)) for name, field in kind.model_fields.items()]
    return "\n\n".join(_section(section, rows) for section, rows in tables.items())


def _section(section: str, rows: list[str]) -> str:
    head = "| setting | meaning and unit | values | default |\n|---|---|---|---|\n"
    title = f"`{section}`" if section else "The run"
    return f"## {title}\n\n{SECTIONS[section]}.\n\n{head}" + "\n".join(rows)


def _row(field: Described) -> str:
    owners = ", ".join(f"`{owner}`" for owner in field.owners)
    meaning = f"{field.meaning} (only {owners})" if owners else field.meaning
    values = f"{field.type}, {field.bounds}" if field.bounds else field.type
    default = "must be given" if field.default is None else f"`{field.default}`"
    return f"| `{field.name}` | {_cell(meaning)} | {_cell(values)} | {_cell(default)} |"


def commands() -> str:
    """Returns a chapter for each verb of the command line, with its arguments and options."""
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return "\n\n".join(_verb(name, verbs[name]) for name in sorted(verbs))


def _verb(name: str, verb: Any) -> str:
    given = "".join(f" {_names(p)[0]}" for p in verb.params if _argument(p))
    usage = f"```sh\nsimdistill {name}{given}\n```"
    rows = "\n".join(_parameter(p) for p in verb.params if p.help and not p.hidden)
    table = f"\n\n| argument or option | meaning | default |\n|---|---|---|\n{rows}" if rows else ""
    return f"## `{name}`\n\n{usage}\n\n{_prose(verb.help or '')}{table}"


def _argument(parameter: Any) -> bool:
    return parameter.param_type_name == "argument"


def _names(parameter: Any) -> list[str]:
    if _argument(parameter):
        return [parameter.metavar or parameter.name.upper()]
    return [*parameter.opts, *parameter.secondary_opts]


def _parameter(parameter: Any) -> str:
    flag = isinstance(parameter.default, bool) or parameter.default is None
    default = "" if flag or callable(parameter.default) else f"`{parameter.default}`"
    names = ", ".join(f"`{name}`" for name in _names(parameter))
    return f"| {names} | {_cell(parameter.help or '')} | {_cell(default)} |"


def _prose(text: str) -> str:
    """Returns a verb's help; its example in a block of its own."""
    return re.sub(r"For example: (simdistill .*)", r"For example:\n\n```sh\n\1\n```", text)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


TABLES: dict[str, Callable[[], str]] = {"settings": settings, "commands": commands}
