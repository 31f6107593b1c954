"""The base class of all groups of fields, and types that several fields share."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

LONGEST_NAME = 255
"""Largest number of bytes in a file's or folder's name on common file systems."""

SWEPT = object()
"""Marks a text field that holds a name, where `field=a,b` means two runs. Other texts may contain commas."""


class Section(BaseModel):
    """A group of fields. It is immutable, and refuses unknown fields.

    Attributes:
        formerly: Dotted name of the group that had a plug-in's fields before the plug-in owned them, such as
            `distill.grpo`; older configurations set them there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    formerly: ClassVar[str | None] = None


def at_home(path: Path) -> Path:
    """Returns a path with the home folder for a leading ~, which shells don't replace in field=~/folder."""
    try:
        path = path.expanduser()
    except RuntimeError:
        raise ValueError(f"{path} begins with ~, but there is no such home folder") from None
    if any(len(part.encode()) > LONGEST_NAME for part in path.parts):
        raise ValueError(f"{path} has a part of more than {LONGEST_NAME} bytes; shorten it")
    return path


def _model_at_home(name: str) -> str:
    return str(at_home(Path(name))) if name.startswith("~") else name


Count = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]
Name = Annotated[str, SWEPT]
Model = Annotated[str, AfterValidator(_model_at_home), SWEPT]
"""A registered language model, a folder, or owner/name on the hub."""
Folder = Annotated[Path, Field(strict=False), AfterValidator(at_home)]
