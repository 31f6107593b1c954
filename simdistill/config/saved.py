"""Saves and loads a run's configuration, also from files older than a field or its present name."""

from pathlib import Path
from typing import Any

import yaml

from simdistill.config.renames import rename
from simdistill.config.run import RunConfig
from simdistill.config.task_files import read_yaml
from simdistill.config.validated import validated
from simdistill.files import write_text

DEFAULTS_BEFORE = {
    ("teacher", "shrink_variances"): False,
    ("distill", "balanced"): False,
    ("distill", "grpo", "again"): True,
}
"""Field -> value for runs that are older than the field and behaved otherwise than its present default."""


class _Dumper(yaml.SafeDumper):
    """A dumper that double-quotes text with a next-line character, which would else be read as a space."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style='"' if "\x85" in text else None
    ),
)


def save(config: RunConfig, path: Path | str) -> None:
    """Writes a run's resolved configuration as YAML."""
    values = config.model_dump(mode="json")
    write_text(path, yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def load_config(path: Path | str) -> RunConfig:
    """Returns the configuration that `save` wrote.

    A field that the file lacks is newer than the run; it gets the value that describes the run's behaviour.

    Raises:
        InputError: If the file is missing, isn't YAML, or doesn't describe a run.
    """
    values = read_yaml(Path(path))
    list(rename(values))
    for (*sections, field), value in DEFAULTS_BEFORE.items():
        section: Any = values
        for name in sections:
            section = section.get(name) if isinstance(section, dict) else None
        if isinstance(section, dict):
            section.setdefault(field, value)
    return validated(values, str(path))[0]
