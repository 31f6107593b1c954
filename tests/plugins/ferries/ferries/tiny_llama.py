"""A student: a tiny Llama with random weights, made once, with the tokenizer of SmolLM2."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simdistill.models.pretrained import SMOLLM2_135M, BaseModel, base_model, cache_folder, load_tokenizer


@dataclass(frozen=True)
class TinyLlama:
    """A Llama of two layers that knows nothing."""

    description: str

    def fetch(self) -> BaseModel:
        """Returns the model, which is made in the cache if it isn't there."""
        folder = cache_folder() / "tiny-llama"
        if not folder.is_dir():
            _make(folder)
        return base_model(folder)


TINY_LLAMA = TinyLlama(description="A Llama of two layers with random weights.")


def _make(folder: Path) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer: Any = load_tokenizer(SMOLLM2_135M.fetch())
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
