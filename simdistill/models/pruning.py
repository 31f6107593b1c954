"""Smaller students: a base model with some of its decoder layers, evenly spaced from the first to the last.

Dropping every other layer is a usual initialisation of a smaller student (DistilBERT, Sanh et al., arXiv
1910.01108; Sajjad et al., arXiv 2004.03844, compare which layers to drop). The pruned model no longer
produces sensible text, so it must be trained before use.
"""

from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from transformers import AutoConfig, PreTrainedModel

from simdistill.config import StudentConfig
from simdistill.errors import InputError
from simdistill.files import read_json, replacing_folder, write_json, writing
from simdistill.models.device import quiet
from simdistill.models.pretrained import (
    SOURCE_FILE,
    BaseModel,
    base_model,
    cache_folder,
    cached_model,
    load_model,
    load_tokenizer,
    weights_sha256,
)


def student_base(student: StudentConfig) -> BaseModel:
    """Returns the base model of a run's student, pruned if `student.layers` is set.

    Raises:
        InputError: The base model can't be obtained, or has fewer layers.
    """
    base = base_model(student.name)
    return base if student.layers is None else pruned(base, student.layers)


def pruned(base: BaseModel, layers: int) -> BaseModel:
    """Returns a base model with `layers` of its decoder layers; it is made once and kept in the cache.

    Its file `source.json` has the base model's checksum and the indices of the layers.

    Args:
        base: The base model that is pruned.
        layers: Number of layers, at least 2; `base` itself is returned if it has this number.

    Raises:
        InputError: The base model has fewer layers, it has no list of decoder layers, or the disk is full.
    """
    folder = cache_folder() / f"pruned-{layers}-{base.sha256[:16]}"
    if not folder.exists():
        config = AutoConfig.from_pretrained(str(base.folder), local_files_only=True)
        if layers == config.num_hidden_layers:
            return base
        model = load_model(base)
        kept = prune(model, layers, base.name)
        with writing(folder.parent):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(folder.with_name(f".{folder.name}.lock")):
                if not folder.exists():
                    _save(model, base, kept, folder)
    return cached_model(folder)


def layers_kept(base: BaseModel) -> list[int] | None:
    """Returns the indices of a pruned model's layers in the original model; None if it isn't pruned."""
    path = base.folder / SOURCE_FILE
    return read_json(path).get("layers") if path.exists() else None


def prune(model: PreTrainedModel, layers: int, name: str) -> list[int]:
    """Removes layers from a model in place; returns the indices of the remaining layers.

    Args:
        model: A causal language model with a list of decoder layers.
        layers: Number of remaining layers, between 2 and the number of the model's layers.
        name: Name of the model in error messages.

    Raises:
        InputError: The model has fewer layers, or has no list of decoder layers.
    """
    count = model.config.num_hidden_layers
    decoder: Any = model.get_decoder()
    if not isinstance(getattr(decoder, "layers", None), torch.nn.ModuleList):
        raise InputError(f"{name} can't be pruned: its {type(model).__name__} has no list of decoder layers")
    if not 2 <= layers <= count:
        raise InputError(f"student.layers is {layers}; {name} has {count}, so choose from 2 to {count}")
    kept = evenly(layers, count)
    decoder.layers = torch.nn.ModuleList(decoder.layers[index] for index in kept)
    for index, layer in enumerate(decoder.layers):
        for module in layer.modules():
            if hasattr(module, "layer_idx"):
                module.layer_idx = index  # type: ignore[assignment]
    for key, value in model.config.to_dict().items():
        if isinstance(value, list) and len(value) == count:  # settings by layer, such as layer_types
            setattr(model.config, key, [value[index] for index in kept])
    model.config.num_hidden_layers = layers
    return kept


def evenly(few: int, many: int) -> list[int]:
    """Returns `few` evenly spaced indices from 0 to `many` - 1, including both."""
    return [place * (many - 1) // max(few - 1, 1) for place in range(few)]


def _save(model: PreTrainedModel, base: BaseModel, kept: list[int], folder: Path) -> None:
    with replacing_folder(folder) as temporary, quiet():
        model.save_pretrained(temporary)
        load_tokenizer(base).save_pretrained(temporary)
        source = {
            "name": f"{base.name}, {len(kept)} layers",
            "sha256": weights_sha256(temporary),
            "from": {"name": base.name, "sha256": base.sha256},
            "layers": kept,
        }
        write_json(temporary / SOURCE_FILE, source)
