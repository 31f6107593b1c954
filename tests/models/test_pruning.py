"""Pruned students: which layers stay, that they compute what they did, and that adapters know them."""

import shutil
from itertools import pairwise

import pytest
import torch
from transformers import DynamicCache

from simdistill.config import StudentConfig
from simdistill.errors import InputError
from simdistill.files import read_json
from simdistill.models.lora import Lora
from simdistill.models.pretrained import base_model, load_model
from simdistill.models.pruning import evenly, prune, pruned, student_base
from simdistill.models.student import Student


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMDISTILL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def deep(deep_folder):
    return base_model(deep_folder)


def test_kept_layers_are_evenly_spaced_with_both_ends():
    assert evenly(15, 30) == [*range(0, 28, 2), 29]
    assert evenly(2, 30) == [0, 29] and evenly(30, 30) == list(range(30))
    for count in range(2, 31):
        kept = evenly(count, 30)
        gaps = {after - before for before, after in pairwise(kept)}
        assert len(kept) == count and max(gaps) - min(gaps) <= 1


def test_a_pruned_model_is_its_kept_layers_one_after_another(deep):
    whole, small = load_model(deep), load_model(deep)
    kept = prune(small, 3, "deep")
    assert kept == [0, 2, 5] and small.config.num_hidden_layers == 3
    ids = torch.arange(20)[None] + 100
    with torch.inference_mode():
        inner = whole.model
        state, place = inner.embed_tokens(ids), torch.arange(20)[None]
        rotary = inner.rotary_emb(state, place)
        for index in kept:
            state = inner.layers[index](state, position_ids=place, position_embeddings=rotary)
        expected = whole.lm_head(inner.norm(state))
        assert torch.equal(small(ids, use_cache=False).logits, expected)
        # Layers that kept their old numbers would write to places that the cache doesn't have.
        cache = DynamicCache(config=small.config)
        small(ids[:, :10], cache=cache)
        assert len(cache.layers) == 3
        torch.testing.assert_close(small(ids[:, 10:], cache=cache).logits, expected[:, 10:])


def test_a_pruned_base_is_made_once_and_says_what_it_is(deep, cache):
    found = pruned(deep, 3)
    source = read_json(found.folder / "source.json")
    assert source["layers"] == [0, 2, 5] and source["from"] == {"name": deep.name, "sha256": deep.sha256}
    assert found.sha256 not in (deep.sha256, pruned(deep, 4).sha256)
    before = (found.folder / "model.safetensors").stat().st_mtime_ns
    assert pruned(deep, 3) == found
    assert (found.folder / "model.safetensors").stat().st_mtime_ns == before
    weights = found.folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(InputError, match="are corrupt"):
        pruned(deep, 3)


def test_all_layers_are_the_base_itself(deep, cache):
    assert pruned(deep, 6) == deep == student_base(StudentConfig(name=str(deep.folder)))
    assert not cache.exists()


def test_more_layers_than_there_are_is_told(deep, cache):
    with pytest.raises(InputError, match=r"student\.layers is 7; deep has 6, so choose from 2 to 6"):
        pruned(deep, 7)


def test_a_model_without_a_list_of_layers_is_told(tokenizer, tmp_path, cache):
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=8, n_layer=3, n_head=2, bos_token_id=1, eos_token_id=2
    )
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "gpt2")
    with pytest.raises(InputError, match="gpt2 can't be pruned: its GPT2LMHeadModel has no list"):
        pruned(base_model(tmp_path / "gpt2"), 2)


def test_an_adapter_refuses_another_number_of_layers(deep, cache, tmp_path):
    student = Student.for_training(pruned(deep, 3), Lora(r=2), seed=0)
    student.save_adapter(tmp_path / "adapter", "# Card")
    assert Student.load(pruned(deep, 3), tmp_path / "adapter").model.config.num_hidden_layers == 3
    shutil.rmtree(cache)
    with pytest.raises(InputError, match="was trained on deep, 3 layers with weights"):
        Student.load(pruned(deep, 4), tmp_path / "adapter")
    with pytest.raises(InputError, match="was trained on deep, 3 layers with weights"):
        Student.load(deep, tmp_path / "adapter")
    assert Student.load(pruned(deep, 3), tmp_path / "adapter").base.name == "deep, 3 layers"
