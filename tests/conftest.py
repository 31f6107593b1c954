"""Fixtures shared by all tests."""

import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest


@pytest.fixture(scope="session")
def real_base():
    """The embedded student's base model, from the user's cache (fetched once)."""
    from simdistill.models.pretrained import SMOLLM2_135M

    return SMOLLM2_135M.fetch()


@pytest.fixture(scope="session")
def tokenizer(real_base):
    """The real tokenizer."""
    from simdistill.models.pretrained import load_tokenizer

    return load_tokenizer(real_base)


@pytest.fixture(scope="session")
def tiny_folder(tokenizer, tmp_path_factory) -> Path:
    """A tiny random Llama with the real tokenizer, saved as a model folder."""
    return save_llama(tokenizer, tmp_path_factory.mktemp("students") / "tiny")


@pytest.fixture(scope="session")
def deep_folder(tokenizer, tmp_path_factory) -> Path:
    """Another one, with six layers."""
    return save_llama(tokenizer, tmp_path_factory.mktemp("students") / "deep", num_hidden_layers=6)


@pytest.fixture(scope="session")
def wide_folder(tokenizer, tmp_path_factory) -> Path:
    """Another one, wider, with three layers."""
    folder = tmp_path_factory.mktemp("students") / "wide"
    return save_llama(tokenizer, folder, num_hidden_layers=3, hidden_size=96)


def save_llama(tokenizer, folder: Path, **settings) -> Path:
    """Saves a tiny random Llama as a model folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(1)
    config = LlamaConfig(
        **{
            "vocab_size": len(tokenizer),
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "tie_word_embeddings": True,
            "initializer_range": 0.2,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            **settings,
        }
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tiny_folder):
    """The tiny Llama, float32; tests must not train it."""
    from simdistill.models.pretrained import base_model, load_model

    return load_model(base_model(tiny_folder))
