"""An export as others load it: plain transformers, and what vLLM reads of an adapter."""

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from simdistill.data import store as questions
from simdistill.errors import InputError
from simdistill.files import read_json
from simdistill.models.student import Student
from simdistill.runs import pipeline
from simdistill.runs.export import export


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    return export(finished, tmp_path_factory.mktemp("export") / "export")


def test_plain_transformers_writes_what_the_student_would(exported, finished):
    folder, _ = exported
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    student = Student.load(pipeline.Record.of(finished).config.student.name, finished / "adapter")
    asked = [q for q in questions.load(finished / "questions.parquet") if q.decides][:8]
    for question, own in zip(asked, student.score(asked), strict=True):
        text = tokenizer.apply_chat_template(question.prompt, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            after = model(ids).logits[0, -1].log_softmax(-1)
        first = [tokenizer(choice, add_special_tokens=False)["input_ids"][0] for choice in question.choices]
        assert question.choices[int(after[first].argmax())] == question.choices[own.choice]


def test_the_adapter_has_what_vllm_takes_and_nothing_it_refuses(exported):
    # As vLLM's peft_helper.py reads it: three fields are needed, some values refused, others left alone.
    _, folder = exported
    settings = read_json(folder / "adapter_config.json")
    assert isinstance(settings["r"], int) and settings["lora_alpha"] > 0
    assert isinstance(settings["target_modules"], list) and settings["bias"] == "none"
    for refused in ("modules_to_save", "use_dora", "use_rslora"):
        assert not settings.get(refused), refused
    with safe_open(folder / "adapter_model.safetensors", "pt") as tensors:
        names = list(tensors.keys())
    modules = {name.split(".")[-3] for name in names}
    assert names and modules <= set(settings["target_modules"])
    assert all(name.startswith("base_model.model.model.layers.") for name in names)
    assert all(name.endswith((".lora_A.weight", ".lora_B.weight")) for name in names)
    assert settings["peft_type"] == "LORA"


def test_an_export_replaces_no_files_of_others(finished, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.py").write_text("mine")
    with pytest.raises(
        InputError, match=r"model has other files, which would be lost; choose another folder"
    ):
        export(finished, tmp_path)
    assert (tmp_path / "model" / "mine.py").read_text() == "mine"
