"""Exports a trained student for other programs: as a merged model, and as an adapter for a LoRA server."""

import shlex
import shutil
from pathlib import Path

from simdistill.errors import InputError
from simdistill.files import read_json, replacing_folder, write_json, writing
from simdistill.models.pruning import student_base
from simdistill.models.student import Student
from simdistill.runs.record import Record

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", "README.md", "base.json")


def export(run: Path, folder: Path | None = None) -> tuple[Path, Path]:
    """Writes a run's student as a merged model, `model/`, and as an adapter, `adapter/`.

    `model/` contains the model and its tokenizer for `AutoModelForCausalLM.from_pretrained`. `adapter/` is
    for `vllm serve BASE --enable-lora --lora-modules NAME=adapter/`, where `adapter_config.json` names BASE.

    Args:
        run: Folder of a run whose student is trained.
        folder: Folder to write to; by default the run's own `export/`.

    Returns:
        The folders of the model and of the adapter.

    Raises:
        InputError: If the run has no adapter yet, the folder can't be written to, or it has a folder of these
            names with something else in it.
    """
    record = Record.of(run)
    config, adapter = record.config, record.layout.adapter
    if not adapter.is_dir():
        resume = shlex.quote(f"resume={run}")
        raise InputError(f"{run} has no student yet; finish it with: simdistill run {resume}")
    folder = folder or run / "export"
    _check_free(folder / "model", "config.json")
    _check_free(folder / "adapter", "adapter_config.json")
    student = Student.load(student_base(config.student), adapter)
    with writing(folder):
        with replacing_folder(folder / "model") as model:
            student.model.save_pretrained(str(model))  # type: ignore[operator]
            student.tokenizer.save_pretrained(model)
            shutil.copy(adapter / "README.md", model)
        with replacing_folder(folder / "adapter") as served:
            for name in ADAPTER_FILES:
                shutil.copy(adapter / name, served)
            # A server on this machine finds the base model in this folder.
            settings = read_json(served / "adapter_config.json")
            base = str(student.base.folder)
            write_json(served / "adapter_config.json", {**settings, "base_model_name_or_path": base})
    return folder / "model", folder / "adapter"


def _check_free(folder: Path, known: str) -> None:
    """Checks that a folder that would be replaced is empty, or an earlier export with a file of this name."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / known).is_file():
        raise InputError(
            f"{folder} has other files, which would be lost; choose another folder with --output FOLDER"
        )
