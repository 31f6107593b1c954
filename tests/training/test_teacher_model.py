"""Methods that learn from a language model: what they compute, what they train, what they refuse."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import TrainerCallback

from simdistill import registry
from simdistill.config import RunConfig, compose
from simdistill.data.kinds.decision import DecisionQuestion
from simdistill.data.question import Question
from simdistill.data.store import save
from simdistill.errors import InputError
from simdistill.files import read_json, read_lines
from simdistill.models.likelihood import choice_log_probabilities
from simdistill.models.lora import Lora
from simdistill.models.packing import PackedBatch
from simdistill.models.student import Student
from simdistill.simulation.situations import Situation
from simdistill.simulators.queueing import Queueing
from simdistill.teachers.language_models.compatibility import check_apart, check_same_words
from simdistill.training.callbacks import MetricsWriter
from simdistill.training.losses import Targets, terms
from simdistill.training.matching import Matching, shares
from simdistill.training.schedule import Schedule
from simdistill.training.teacher_model import teacher_model
from simdistill.training.trainers.batch import Batch, TrainingQuestion
from simdistill.training.trainers.exact import train_round
from simdistill.training.trainers.hidden import SHARE, HiddenTrainer
from simdistill.training.trainers.on_policy import PlainDistillationTrainer, opd_round
from simdistill.training.weights import Weights

WEIGHTS = Weights(imitation=1.0, soft=1.0, regret=0.0, validity=1.0)
SMALL = [
    "task=queueing",
    "distill.questions=16",
    "distill.batch_size=8",
    "distill.warmup_steps=0",
    "distill.checkpoint_steps=1",
    "student.lora.r=2",
    "student.dtype=float32",
]


def prompt(number: int) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": "Answer with the server's letter."},
        {"role": "user", "content": f"Jobs A {number % 5}, B {number}."},
    ]


def questions(count: int) -> list[Question]:
    """The better server takes turns."""
    return [
        DecisionQuestion(
            task="queueing",
            simulator="queueing",
            split="train",
            round=0,
            group=number // 8,
            prompt=prompt(number),
            choices=["A", "B"],
            answer="AB"[number % 2],
            situation=Situation(Queueing.Params(), (0, 0, 0, number), (), 0.0, {}, ("A", "B")),
            values=[0.5 * (number % 2), 0.5 * (1 - number % 2)],
            standard_errors=[0.1, 0.0],
            raw_values=[0.0, 0.0],
            raw_standard_errors=[0.0, 0.0],
        )
        for number in range(count)
    ]


def learner(folder: Path, seed: int = 0) -> Student:
    return Student.for_training(folder, Lora(r=2), seed=seed, dtype=torch.float32)


def rows(student: Student, count: int) -> list[TrainingQuestion]:
    rng = np.random.default_rng(0)
    return [
        TrainingQuestion(
            student.tokenize(prompt(n), ["A", "B"]), n % 2, tuple(rng.dirichlet([1, 1])), (0.0, 1.0)
        )
        for n in range(count)
    ]


def train(student: Student, teacher: Student, count: int, folder: Path, callbacks=(), **changes):
    schedule = Schedule(1e-2, 0.0, 0, 8, folder / "checkpoints", 0, 1, bf16=False)
    return train_round(
        student.model,
        student.tokenizer,
        rows(student, count),
        replace(schedule, **changes),
        WEIGHTS,
        [MetricsWriter(folder / "metrics.jsonl", 8), *callbacks],
        partial(HiddenTrainer, teacher=teacher.model),
    )


def states(student: Student, batch: dict) -> list[torch.Tensor]:
    """Hidden states of a packed batch, after each layer."""
    inputs = {name: batch[name] for name in ("input_ids", "position_ids", "attention_mask")}
    return list(student.model(**inputs, output_hidden_states=True, use_cache=False).hidden_states[1:])


def packed(batch: dict) -> PackedBatch:
    return PackedBatch(**{name: batch[name] for name in PackedBatch.names()})


def distance(matching: Matching, student: Student, teacher: Student, batch: dict) -> torch.Tensor:
    """Between hidden states, summed over questions."""
    ours, theirs = states(student, batch), [state.detach() for state in states(teacher, batch)]
    return matching([ours[0], *ours], [theirs[0], *theirs], shares(packed(batch)))


class Stop(TrainerCallback):
    """Stops after a step, as a kill would."""

    def __init__(self, after: int = 3):
        self.after = after

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.after:
            raise KeyboardInterrupt


class Gradients(TrainerCallback):
    """Keeps the gradients of the last step."""

    def __init__(self):
        self.found: dict[str, torch.Tensor] = {}

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        assert model is not None
        named = model.named_parameters()
        self.found = {name: weight.grad.clone() for name, weight in named if weight.grad is not None}


@pytest.mark.parametrize("folder", ["deep_folder", "wide_folder"])
def test_the_distance_is_that_of_a_direct_computation(folder, tiny_folder, request):
    student, teacher = learner(tiny_folder), Student.load(request.getfixturevalue(folder))
    asked = rows(student, 3)
    matching = Matching(student.model, teacher.model)
    found = float(distance(matching, student, teacher, Batch.of(asked)).detach())
    layers = [0, 5] if folder == "deep_folder" else [0, 2]
    alone = []
    for one_asked in asked:
        batch, distances = Batch.of([one_asked]), []
        ours, theirs = states(student, batch), states(teacher, batch)
        for state, layer in zip(ours, layers, strict=True):
            for one, other in zip(state[0].detach().numpy(), theirs[layer][0].detach().numpy(), strict=True):
                if folder == "wide_folder":
                    assert matching.projection is not None
                    one = matching.projection.weight.detach().numpy() @ one
                distances.append(2 - 2 * one @ other / np.linalg.norm(one) / np.linalg.norm(other))
        alone.append(np.mean(distances))
    assert found == pytest.approx(np.sum(alone), rel=1e-5)


def test_the_loss_is_the_exact_one_plus_the_weighted_distance(tiny_folder, deep_folder, tmp_path):
    student, gradients = learner(tiny_folder), Gradients()
    before = {name: weight.clone() for name, weight in Student.load(deep_folder).model.named_parameters()}
    teacher = Student.load(deep_folder)
    train(student, teacher, 16, tmp_path, [gradients])
    weight = float(load_file(tmp_path / "checkpoints/checkpoint-2/matching.safetensors")["weight"])
    lines = read_lines(tmp_path / "metrics.jsonl")
    assert weight > 0 and len(lines) == 2
    for line in lines:
        total = line["imitation"] + line["validity"] + weight * line["hidden"]
        assert line["loss"] == pytest.approx(total, rel=1e-5)
    assert gradients.found and all("lora_" in name for name in gradients.found)
    for name, weight in teacher.model.named_parameters():
        assert weight.grad is None and torch.equal(weight, before[name])


def test_the_weight_makes_both_gradients_equally_long(tiny_folder, deep_folder, tmp_path):
    student, teacher = learner(tiny_folder), Student.load(deep_folder)
    batch = Batch.of(rows(student, 8))
    trained = [weight for weight in student.model.parameters() if weight.requires_grad]
    outputs = student.model(**packed(batch).model_inputs())
    targets = Targets(batch["hard_Q"], batch["soft_QC"], batch["regret_QC"])
    exact = terms(choice_log_probabilities(outputs.logits, packed(batch)), targets).loss_Q(WEIGHTS).mean()
    hidden = distance(Matching(student.model, teacher.model), student, teacher, batch) / 8
    lengths = []
    for loss in (exact, hidden):
        gradients = torch.autograd.grad(loss, trained, retain_graph=True)
        lengths.append(torch.cat([gradient.flatten() for gradient in gradients]).norm().item())
    train(learner(tiny_folder), teacher, 8, tmp_path)
    weight = float(load_file(tmp_path / "checkpoints/checkpoint-1/matching.safetensors")["weight"])
    assert weight * lengths[1] == pytest.approx(SHARE * lengths[0], rel=1e-4)


def test_hidden_in_parts_has_the_gradient_of_one_batch(tiny_folder, wide_folder, tmp_path):
    found = []
    for size, parts in ((8, 1), (2, 4)):
        gradients, folder = Gradients(), tmp_path / str(size)
        teacher = Student.load(wide_folder)
        train(learner(tiny_folder), teacher, 16, folder, [gradients], batch_size=size, accumulation=parts)
        kept = load_file(folder / "checkpoints/checkpoint-2/matching.safetensors")
        found.append(gradients.found | kept)
    assert max(float(gradient.abs().max()) for gradient in found[0].values()) > 1e-3
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("folder", ["deep_folder", "wide_folder"])
def test_the_log_has_the_gradient_in_the_hidden_states(folder, tiny_folder, tmp_path, request):
    """Against states that are leaves, of the mean over the questions of a step in two parts."""
    student, teacher = learner(tiny_folder), Student.load(request.getfixturevalue(folder))
    lengths = []
    for part in (rows(student, 12)[:6], rows(student, 12)[6:]):
        batch = Batch.of(part)
        ours = [state.detach().requires_grad_() for state in states(student, batch)]
        theirs = [state.detach() for state in states(teacher, batch)]
        matching = Matching(student.model, teacher.model)
        found = matching([ours[0], *ours], [theirs[0], *theirs], shares(packed(batch)))
        gradients = torch.autograd.grad(found / 12, ours)
        lengths.append(torch.cat([gradient.flatten() for gradient in gradients]).norm().item())
    train(student, teacher, 12, tmp_path, batch_size=6, accumulation=2)
    (line,) = read_lines(tmp_path / "metrics.jsonl")
    assert line["hidden_gradient"] == pytest.approx(np.hypot(*lengths), rel=1e-4) and min(lengths) > 0


def test_the_gradient_in_the_hidden_states_costs_no_pass_through_the_model(
    tiny_folder, deep_folder, tmp_path
):
    """A step goes back through the last layer once, after the two terms' gradients for the weight."""
    student, passes = learner(tiny_folder), []
    model: Any = student.model
    model.get_base_model().model.layers[-1].mlp.register_full_backward_hook(lambda *_: passes.append(1))
    train(student, Student.load(deep_folder), 8, tmp_path)
    assert len(passes) == 2 + 1


def test_hidden_resumed_equals_uninterrupted(tiny_folder, wide_folder, tmp_path):
    teacher = Student.load(wide_folder)
    whole, broken, resumed = learner(tiny_folder), learner(tiny_folder), learner(tiny_folder, seed=5)
    train(whole, teacher, 48, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(broken, teacher, 48, tmp_path / "broken", [Stop()])
    train(resumed, teacher, 48, tmp_path / "broken", resume=True)
    metrics = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "broken")]
    assert metrics[0] == metrics[1]
    found = [dict(student.model.named_parameters()) for student in (whole, resumed)]
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    kept = [
        load_file(tmp_path / name / "checkpoints/checkpoint-6/matching.safetensors")
        for name in ("whole", "broken")
    ]
    assert torch.equal(kept[0]["projection.weight"], kept[1]["projection.weight"])
    assert not torch.equal(kept[0]["projection.weight"], torch.eye(96, 64))


def test_launched_processes_learn_one_projection(tiny_folder, wide_folder, tmp_path):
    train(learner(tiny_folder), Student.load(wide_folder), 16, tmp_path / "alone")
    alone = load_file(tmp_path / "alone/checkpoints/checkpoint-2/matching.safetensors")
    script = Path(__file__).with_name("launched_hidden.py")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    what = [str(part) for part in (script, tiny_folder, wide_folder, tmp_path)]
    done = subprocess.run([*torchrun, *what], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"{name}.pt") for name in ("first", "second"))
    assert torch.equal(first["projection.weight"], second["projection.weight"])
    torch.testing.assert_close(first["projection.weight"], alone["projection.weight"], rtol=1e-4, atol=1e-6)
    assert not torch.equal(first["projection.weight"], torch.eye(96, 64))
    assert first["weight"] == second["weight"] == pytest.approx(float(alone["weight"]), rel=1e-5)


def test_a_checkpoint_without_its_projection_is_told(tiny_folder, wide_folder, tmp_path):
    teacher = Student.load(wide_folder)
    with pytest.raises(KeyboardInterrupt):
        train(learner(tiny_folder), teacher, 48, tmp_path, [Stop()])
    (tmp_path / "checkpoints/checkpoint-2/matching.safetensors").unlink()
    with pytest.raises(InputError, match=r"matching\.safetensors can't be read"):
        train(learner(tiny_folder), teacher, 48, tmp_path, resume=True)


def opd(student: Student, teacher: Student, folder: Path, callbacks=(), divergence: float = 1.0, **changes):
    schedule = Schedule(1e-2, 0.0, 0, 4, folder / "checkpoints", 0, 1, bf16=False)
    writer = MetricsWriter(folder / "metrics.jsonl", 4)
    schedule = replace(schedule, **changes)
    return opd_round(student, teacher, questions(24), divergence, schedule, [writer, *callbacks])


def kl(p_TV: torch.Tensor, q_TV: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergence of each row, from probabilities."""
    return (p_TV * (p_TV.log() - q_TV.log())).sum(-1)


def divergences(student_TV: torch.Tensor, teacher_TV: torch.Tensor, weight: float) -> torch.Tensor:
    """Of each row; Agarwal et al., section 2, between forward KL (0) and reverse KL (1)."""
    if weight in (0.0, 1.0):
        return kl(student_TV, teacher_TV) if weight else kl(teacher_TV, student_TV)
    between_TV = weight * teacher_TV + (1 - weight) * student_TV
    return weight * kl(teacher_TV, between_TV) + (1 - weight) * kl(student_TV, between_TV)


def answered(student: Student, prompt_ids: list[int], said: list[int]) -> torch.Tensor:
    """Probabilities of all tokens at each token of an answer, by a plain pass over it alone."""
    with torch.no_grad():
        logits = student.model(input_ids=torch.tensor([[*prompt_ids, *said]])).logits[0]
    return logits[len(prompt_ids) - 1 : -1].double().softmax(-1)


@pytest.fixture
def sampled(monkeypatch) -> list[dict]:
    """What TRL's trainer samples, one entry a step."""
    found, sample = [], PlainDistillationTrainer._generate_and_score_completions

    def watched(self, inputs):
        found.append(sample(self, inputs))
        return found[-1]

    monkeypatch.setattr(PlainDistillationTrainer, "_generate_and_score_completions", watched)
    return found


@pytest.mark.parametrize("divergence", [0.0, 0.3, 0.5, 1.0])
def test_opd_learns_from_another_model(divergence, tiny_folder, deep_folder, tmp_path, sampled):
    teacher, gradients = Student.load(deep_folder), Gradients()
    result = opd(learner(tiny_folder), teacher, tmp_path, [gradients], divergence)
    losses = [row["loss"] for row in read_lines(tmp_path / "metrics.jsonl")]
    assert result.steps == len(losses) == len(sampled) == 6 and result.tokens > 0
    assert min(losses) > 0.01 and np.isfinite(losses).all()
    assert gradients.found and all("lora_" in name for name in gradients.found)
    step, beginner, found = sampled[0], Student.load(tiny_folder), []
    for row in range(4):
        prompt_ids, said = (
            step[f"{part}_ids"][row][step[f"{part}_mask"][row].bool()].tolist()
            for part in ("prompt", "completion")
        )
        assert tuple(prompt_ids) in {beginner.tokenize(prompt(n), ["A"]).prompt_ids for n in range(4)}
        ours, theirs = (answered(model, prompt_ids, said) for model in (beginner, teacher))
        found.append(divergences(ours, theirs, divergence))
    assert losses[0] == pytest.approx(float(torch.cat(found).mean()), rel=1e-4)


def test_opd_in_parts_has_the_gradient_of_one_batch(tiny_folder, deep_folder, tmp_path):
    """Answers are sampled for a whole step, however it is divided, and so are the same ones."""
    teacher, found = Student.load(deep_folder), []
    for size, parts in ((4, 1), (1, 4)):
        gradients, folder = Gradients(), tmp_path / str(size)
        with pytest.raises(KeyboardInterrupt):
            callbacks = [gradients, Stop(after=1)]
            opd(learner(tiny_folder), teacher, folder, callbacks, batch_size=size, accumulation=parts)
        found.append(gradients.found)
    assert max(float(gradient.abs().max()) for gradient in found[0].values()) > 1e-3
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-3, atol=1e-5)


def test_opd_resumed_equals_uninterrupted(tiny_folder, deep_folder, tmp_path):
    teacher = Student.load(deep_folder)
    whole, broken, resumed = learner(tiny_folder), learner(tiny_folder), learner(tiny_folder, seed=5)
    opd(whole, teacher, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        opd(broken, teacher, tmp_path / "broken", [Stop()])
    opd(resumed, teacher, tmp_path / "broken", resume=True)
    metrics = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "broken")]
    assert metrics[0] == metrics[1]


def test_a_teacher_on_the_students_own_weights_is_refused(tiny_folder, tmp_path):
    student = learner(tiny_folder)
    assert isinstance(student.model, PeftModel)
    shared: Any = student.model.get_base_model()
    teacher = Student(student.base, shared, student.tokenizer)
    with pytest.raises(InputError, match="shares its weights with the student"):
        opd(student, teacher, tmp_path)
    with pytest.raises(InputError, match="shares its weights with the student"):
        train(student, teacher, 8, tmp_path)
    check_apart(student.model, Student.load(tiny_folder).model)


def configured(tiny_folder: Path, method: str, *overrides: str) -> RunConfig:
    own = ["method.questions=8", "method.prompts=4"] if method == "opd" else []
    return compose([*SMALL, f"student.name={tiny_folder}", f"method={method}", *own, *overrides])[0]


@pytest.mark.parametrize("method", ["hidden", "opd"])
def test_a_method_trains_a_pruned_student(method, tiny_folder, deep_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMDISTILL_CACHE", str(tmp_path / "cache"))
    config = configured(deep_folder, method, "student.layers=3", f"teacher.model={deep_folder}")
    made = registry.load("methods", method)(config, tmp_path)
    made.prepare()
    made.training.mkdir(exist_ok=True)
    save(questions(16), made.training / "questions-0.parquet")
    done = made(questions(4), lambda number, student: [], "# Card", lambda *shown: None)
    rounds = [read_json(path)["questions"] for path in sorted(made.training.glob("round-*.json"))]
    assert rounds == ([16] if method == "hidden" else [16, 8]) and done.questions == sum(rounds)
    losses = [row["loss"] for row in read_lines(tmp_path / "metrics.jsonl") if "loss" in row]
    assert len(losses) == (2 if method == "hidden" else 4) and min(losses) > 0.01
    assert json.loads((made.adapter() / "base.json").read_text())["name"] == "deep, 3 layers"


@pytest.mark.parametrize(("method", "what"), [("hidden", "hidden states"), ("opd", "probabilities")])
def test_a_method_without_a_model_is_told_at_once(method, what, tiny_folder):
    said = f"method={method} learns from a language model's {what}; set teacher.model, or use method=kd"
    with pytest.raises(InputError, match=said):
        configured(tiny_folder, method)
    endpoint = ["teacher=endpoint", "teacher.model=gpt", "teacher.base_url=http://localhost:1/v1"]
    with pytest.raises(InputError, match=r"teacher\.base_url=http://localhost:1/v1 gives answers alone"):
        configured(tiny_folder, method, *endpoint)
    with pytest.raises(
        InputError, match=r"teacher\.base_url is a field of teacher=endpoint, and teacher=search"
    ):
        configured(tiny_folder, method, *endpoint, "teacher=search")


def test_a_student_is_not_its_own_teacher(tiny_folder, tmp_path):
    config = configured(tiny_folder, "hidden", f"teacher.model={tiny_folder}")
    with pytest.raises(InputError, match="is the student's own base model"):
        registry.load("methods", "hidden")(config, tmp_path).prepare()
    student = learner(tiny_folder)
    student.save_adapter(tmp_path / "adapter", "# Card")
    config = configured(
        tiny_folder, "hidden", f"teacher.model={tiny_folder}", f"teacher.adapter={tmp_path / 'adapter'}"
    )
    assert teacher_model(config, student).base == student.base


def test_a_teacher_whose_hidden_states_are_packed_is_tried(
    tiny_folder, deep_folder, tmp_path, monkeypatch, caplog
):
    tried = []
    monkeypatch.setattr(Student, "check_packing", lambda self, asked: tried.append(self.base.name))
    for method in ("hidden", "opd"):
        config = configured(tiny_folder, method, f"teacher.model={deep_folder}")
        registry.load("methods", method)(config, tmp_path / method).prepare()
    assert tried == ["tiny", "deep", "tiny"] and not caplog.messages


def test_other_words_are_refused(tiny_folder, deep_folder):
    student, teacher = Student.load(tiny_folder), Student.load(deep_folder)
    check_same_words(teacher, student)
    teacher.tokenizer.chat_template = "{{ messages }}"
    teacher.tokenizer.add_tokens(["<another>"])
    with pytest.raises(
        InputError, match="deep and student tiny don't read the same tokens: the vocabularies"
    ):
        check_same_words(teacher, student)


def test_another_number_of_logits_is_refused(tiny_folder, deep_folder, tmp_path):
    teacher = Student.load(deep_folder)
    teacher.model.resize_token_embeddings(teacher.model.config.vocab_size + 64)
    with pytest.raises(InputError, match="has 49216 logits, the student tiny 49152"):
        opd(learner(tiny_folder), teacher, tmp_path)
