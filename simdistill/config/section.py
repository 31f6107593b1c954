"""The base of every group of fields, and the types that fields share."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

LONGEST_NAME = 255
"""Bytes that a file's or folder's name may have on common file systems."""

SWEPT = object()
"""Marks text that holds a name: `field=a,b` gives two runs. Other text may have commas in it."""


class Section(BaseModel):
    """A group of fields. It doesn't change, and refuses fields that it doesn't know.

    Attributes:
        formerly: Where the fields of a plug-in were before the plug-in owned them, as in `distill.grpo`;
            configurations from then still set them there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    formerly: ClassVar[str | None] = None


def at_home(path: Path) -> Path:
    """Replaces a leading ~ by the home folder, which a shell doesn't do in field=~/folder."""
    try:
        path = path.expanduser()
    except RuntimeError:
        raise ValueError(f"{path} begins with ~, and there is no such home folder") from None
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
