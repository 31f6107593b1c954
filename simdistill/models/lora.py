"""LoRA adapters: adds a new or a saved adapter to a base model."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from transformers import PreTrainedModel

from simdistill.errors import InputError
from simdistill.files import read_json
from simdistill.models.device import quiet
from simdistill.models.pretrained import BaseModel

BASE_FILE = "base.json"
"""File in an adapter's folder, with the name and the checksum of the adapter's base model."""


@dataclass(frozen=True)
class Lora:
    """Settings of a new low-rank adapter (Hu et al., arXiv 2106.09685).

    Attributes:
        r: Rank.
        alpha: Scale; updates are multiplied by alpha / r.
        targets: Names of the linear layers with an adapter, or "all-linear".
        layers: Number of upper transformer layers with an adapter; None for all. The gradient isn't computed
            below the lowest of them, so fewer layers train faster.
    """

    r: int = 16
    alpha: float = 32.0
    targets: str | tuple[str, ...] = "all-linear"
    layers: int | None = None


def with_new_adapter(model: PreTrainedModel, lora: Lora, seed: int) -> PeftModel:
    """Wraps a model with a new adapter for training.

    Args:
        model: The base model; it is changed in place.
        lora: Settings of the adapter.
        seed: Seed of the adapter's initial weights.

    Raises:
        InputError: The model hasn't the layers that `lora` names.
    """
    targets: Any = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    count = model.config.num_hidden_layers
    if lora.layers is not None and lora.layers > count:
        raise InputError(f"student.lora.layers is {lora.layers}; the student has {count} layers")
    layers = None if lora.layers is None else list(range(count - lora.layers, count))
    if layers is not None and isinstance(targets, str):
        targets = _linear_names(model)
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]
        target_modules=targets,
        layers_to_transform=layers,
        lora_dropout=0.0,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        try:
            return get_peft_model(model, config)  # type: ignore[return-value]
        except ValueError as error:
            raise InputError(f"student.lora doesn't fit this student: {error}") from error


def _linear_names(model: PreTrainedModel) -> list[str]:
    head = model.get_output_embeddings()
    return sorted(
        {
            name.rsplit(".", 1)[-1]
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and module is not head
        }
    )


def with_adapter(model: PreTrainedModel, base: BaseModel, adapter: Path, trainable: bool) -> PeftModel:
    """Wraps a model with a saved adapter.

    Args:
        model: The base model; it is changed in place.
        base: Name, folder and checksum of the base model.
        adapter: Folder that `Student.save_adapter` wrote.
        trainable: Whether the adapter is trained further.

    Raises:
        InputError: The folder has no adapter, or its adapter was trained on another base model.
    """
    try:
        made_for = read_json(adapter / BASE_FILE)
        name, expected = made_for["name"], made_for["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{adapter} is not an adapter of simdistill: it has no readable {BASE_FILE}."
        ) from error
    if expected != base.sha256:
        raise InputError(
            f"The adapter {adapter} was trained on {name} with weights {expected}, but {base.name} in "
            f"{base.folder} has {base.sha256}. Use the adapter with the student that it was trained on."
        )
    try:
        with quiet():
            # With missing keys, the loaded adapter would differ from the saved one.
            warnings.filterwarnings("error", message=".*missing adapter keys.*")
            return PeftModel.from_pretrained(
                model, str(adapter), is_trainable=trainable, use_safetensors=True, local_files_only=True
            )
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, UserWarning, SafetensorError) as error:
        raise InputError(f"The adapter in {adapter} can't be loaded: {error}") from error
