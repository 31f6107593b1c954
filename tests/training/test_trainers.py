"""The trainer: equal to SFT without consistency, exact under accumulation and interruption."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import TrainerCallback

from simdistill.errors import InputError
from simdistill.models.device import quiet
from simdistill.models.likelihood import choice_log_probabilities
from simdistill.models.lora import Lora
from simdistill.models.packing import PackedBatch
from simdistill.models.student import Student
from simdistill.training.callbacks import MetricsWriter
from simdistill.training.losses import Targets, terms
from simdistill.training.schedule import Schedule, last_checkpoint
from simdistill.training.trainers.batch import Batch, TrainingQuestion
from simdistill.training.trainers.exact import train_round
from simdistill.training.weights import Weights

SFT = Weights(imitation=1.0, soft=0.0, regret=0.0, validity=1.0)
ALL = Weights(imitation=1.0, soft=0.5, regret=0.5, validity=1.0)
ANSWERS = ["A", "B", "10", "1"]


def prompts(count):
    system = {"role": "system", "content": "You send jobs to servers. Answer with the server's letter."}
    return [
        [system, {"role": "user", "content": f"Jobs A {index % 7}, B {index}."}] for index in range(count)
    ]


def student(tiny_folder, seed=0):
    return Student.for_training(tiny_folder, Lora(r=4, alpha=8), seed=seed, dtype=torch.float32)


def questions(learner, count):
    rng = np.random.default_rng(0)
    return [
        TrainingQuestion(
            question=learner.tokenize(prompt, ANSWERS),
            hard=index % 4,
            soft_C=tuple(rng.dirichlet(np.ones(4))),
            regret_C=tuple(rng.exponential(size=4)),
        )
        for index, prompt in enumerate(prompts(count))
    ]


def train(learner, rows, output_dir, weights=ALL, callbacks=(), **changes):
    schedule = Schedule(1e-2, 0.0, 0, 8, output_dir, 0, 0, bf16=False)
    return train_round(
        learner.model, learner.tokenizer, rows, replace(schedule, **changes), weights, callbacks
    )


def adapter(learner):
    return {
        name: weight.detach().clone()
        for name, weight in learner.model.named_parameters()
        if weight.requires_grad
    }


def assert_equal(first, second, **tolerance):
    assert first.keys() == second.keys()
    for name, weight in first.items():
        torch.testing.assert_close(weight, second[name], **(tolerance or {"rtol": 0, "atol": 0}))


class Gradients(TrainerCallback):
    """Keeps the gradients of the first optimizer step."""

    def __init__(self):
        self.found = {}

    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        if not self.found:
            self.found = {
                name: weight.grad.clone()
                for name, weight in kwargs["model"].named_parameters()
                if weight.requires_grad
            }


class Stop(TrainerCallback):
    """Stops after a step, as a kill would."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise KeyboardInterrupt


def test_without_consistency_it_is_sft(tiny_folder, tmp_path):
    """TRL's trainer on prompt/completion rows: same loss and gradients, up to the number averaged over."""
    from datasets import Dataset
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    ours, theirs = student(tiny_folder), student(tiny_folder)
    for learner in (ours, theirs):
        torch.manual_seed(0)
        for name, weight in learner.model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.1)
    rows, answers = questions(ours, 8), ANSWERS * 2
    gradients, expected, metrics = Gradients(), Gradients(), tmp_path / "metrics.jsonl"
    writer = MetricsWriter(metrics, 8)
    result = train(ours, rows, tmp_path / "ours", weights=SFT, callbacks=[gradients, writer])

    template = theirs.tokenizer.apply_chat_template
    data = [
        {
            "prompt": template(prompt, tokenize=False, add_generation_prompt=True),
            "completion": answer + "<|im_end|>",
        }
        for prompt, answer in zip(prompts(8), answers, strict=True)
    ]
    with quiet():
        trainer = SFTTrainer(
            model=theirs.model,
            processing_class=theirs.tokenizer,
            train_dataset=Dataset.from_list(data),
            args=SFTConfig(
                output_dir=str(tmp_path / "theirs"),
                num_train_epochs=1,
                per_device_train_batch_size=8,
                train_sampling_strategy="sequential",
                bf16=False,
                use_cpu=True,
                dataloader_pin_memory=False,
                gradient_checkpointing=False,
                max_grad_norm=0.0,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
            ),
            callbacks=[expected],
        )
        assert trainer.train_dataset is not None
        labels = trainer.train_dataset["labels"]
        completions = [[token for token in row if token != -100] for row in labels]
        tokens = sum(len(ids) for ids in completions)
        loss = trainer.train().training_loss
    for question, completion in zip(rows, completions, strict=True):
        assert [*question.question.choice_ids[question.hard], question.question.end_id] == completion
    # SFT averages over tokens, the exact loss over questions; and our gradient was clipped to length 1.
    assert result.loss == pytest.approx(loss * tokens / 8, rel=1e-5)
    length = json.loads(metrics.read_text())["grad_norm"]
    found = {name: gradient * length for name, gradient in gradients.found.items()}
    wanted = {name: gradient * tokens / 8 for name, gradient in expected.found.items()}
    assert min(gradient.norm() for gradient in wanted.values()) > 0.01
    assert_equal(found, wanted, rtol=1e-3, atol=1e-4)


def test_accumulated_batches_are_one_batch(tiny_folder, tmp_path):
    whole, parts = student(tiny_folder), student(tiny_folder)
    rows = questions(whole, 28)
    one = train(whole, rows, tmp_path / "one", batch_size=16)
    two = train(parts, rows, tmp_path / "two", batch_size=8, accumulation=2)
    assert (one.steps, two.steps) == (2, 2)
    assert two.loss == pytest.approx(one.loss, rel=1e-5)
    assert_equal(adapter(parts), adapter(whole), rtol=1e-3, atol=1e-5)


def test_seeds_decide_the_start(tiny_folder):
    assert_equal(adapter(student(tiny_folder, seed=1)), adapter(student(tiny_folder, seed=1)))
    first, second = adapter(student(tiny_folder, seed=1)), adapter(student(tiny_folder, seed=2))
    assert any(not torch.equal(first[name], second[name]) for name in first)


def test_resumed_equals_uninterrupted(tiny_folder, tmp_path):
    whole = student(tiny_folder)
    rows = questions(whole, 48)
    metrics = tmp_path / "whole.jsonl"
    train(whole, rows, tmp_path / "whole", checkpoint_steps=2, callbacks=[MetricsWriter(metrics, 8)])

    broken, output, again = student(tiny_folder), tmp_path / "broken", tmp_path / "broken.jsonl"
    with pytest.raises(KeyboardInterrupt):
        train(broken, rows, output, checkpoint_steps=2, callbacks=[MetricsWriter(again, 8), Stop(3)])
    # A checkpoint that the kill left half-written.
    shutil.copytree(output / "checkpoint-2", output / "checkpoint-4")
    (output / "checkpoint-4" / "trainer_state.json").write_text('{"epoch": 0.')
    assert last_checkpoint(output) == output / "checkpoint-2"

    resumed = student(tiny_folder, seed=5)
    result = train(
        resumed, rows, output, checkpoint_steps=2, resume=True, callbacks=[MetricsWriter(again, 8)]
    )
    assert result.steps == 6
    assert_equal(adapter(resumed), adapter(whole))
    assert again.read_text() == metrics.read_text()


def test_the_learning_rate_is_one_line_over_rounds(tiny_folder, tmp_path):
    learner, path = student(tiny_folder), tmp_path / "metrics.jsonl"
    rows = questions(learner, 32)
    train(
        learner,
        rows,
        tmp_path / "0",
        end_learning_rate=5e-3,
        warmup_steps=1,
        callbacks=[MetricsWriter(path, 8)],
    )
    train(
        learner,
        rows,
        tmp_path / "1",
        learning_rate=5e-3,
        callbacks=[MetricsWriter(path, 8, first_step=4, first_question=32)],
    )
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 9))
    assert [line["questions"] for line in lines] == list(range(8, 65, 8))
    rates = [line["learning_rate"] for line in lines]
    np.testing.assert_allclose(rates[:4], [0, 1e-2, 1e-2 - 5e-3 / 3, 1e-2 - 10e-3 / 3])
    np.testing.assert_allclose(rates[4:], [5e-3, 3.75e-3, 2.5e-3, 1.25e-3])


def test_the_log_has_every_term_unweighted(tiny_folder, tmp_path):
    learner, path = student(tiny_folder), tmp_path / "metrics.jsonl"
    weights = Weights(imitation=0.5, soft=0.25, regret=2.0, validity=0.125)
    train(learner, questions(learner, 8), tmp_path, weights=weights, callbacks=[MetricsWriter(path, 8)])
    line = json.loads(path.read_text())
    assert line["imitation"] == pytest.approx(0.75 * line["hard"] + 0.25 * line["soft"])
    total = 0.5 * line["imitation"] + 2 * line["regret"] + 0.125 * line["validity"]
    assert line["loss"] == pytest.approx(total, rel=1e-5)


def test_the_log_has_every_terms_gradient(tiny_folder, tmp_path):
    """In the choices' log-probabilities, against autograd through the mean of all questions; in two parts."""
    learner, path = student(tiny_folder), tmp_path / "metrics.jsonl"
    rows = questions(learner, 12)
    batch = Batch.of(rows)
    packed = PackedBatch(**{name: batch[name] for name in PackedBatch.names()})
    with torch.no_grad():
        logits = learner.model(**packed.model_inputs()).logits
    log_p_QC = choice_log_probabilities(logits, packed).requires_grad_()
    found = terms(log_p_QC, Targets(batch["hard_Q"], batch["soft_QC"], batch["regret_QC"]))
    means = {
        "imitation": (found.hard_Q + found.soft_Q).mean() / 2,
        "regret": found.regret_Q.mean(),
        "validity": found.validity_Q.mean(),
    }
    writer = MetricsWriter(path, 12)
    train(learner, rows, tmp_path, batch_size=6, accumulation=2, callbacks=[writer])
    line = json.loads(path.read_text())
    for name, mean in means.items():
        (gradient_QC,) = torch.autograd.grad(mean, log_p_QC, retain_graph=True)
        assert line[f"{name}_gradient"] == pytest.approx(float(gradient_QC.norm()), rel=1e-4)
    assert line["tokens"] == sum(Batch.of(part)["input_ids"].numel() for part in (rows[:6], rows[6:]))


def test_the_log_tells_decisions_and_forecasts_apart(tiny_folder, tmp_path):
    """Three forecasts of eight questions, in two parts: each kind has the means of a training of its own."""
    learner = student(tiny_folder)
    rows = questions(learner, 8)
    rows = [replace(row, kind="forecast", regret_C=(0.0,) * 4) for row in rows[:3]] + rows[3:]

    def logged(name, rows, **changes):
        path = tmp_path / f"{name}.jsonl"
        train(student(tiny_folder), rows, tmp_path, callbacks=[MetricsWriter(path, 8)], **changes)
        return json.loads(path.read_text())

    both = logged("both", rows, batch_size=4, accumulation=2)
    alone = {"forecast": logged("forecasts", rows[:3]), "decision": logged("decisions", rows[3:])}
    assert [line["forecasts"] for line in (both, *alone.values())] == [3 / 8, 1, 0]
    for kind, line in alone.items():
        other = "decision" if kind == "forecast" else "forecast"
        assert not any(name.startswith(f"{other}_") for name in line)
        names = [name for name in both if name.startswith(f"{kind}_")]
        assert len(names) == (3 if kind == "forecast" else 4)
        for name in names:
            assert both[name] == pytest.approx(line[name], rel=1e-4)
            assert line[name] == pytest.approx(line[name.removeprefix(f"{kind}_")])
    assert both["regret"] == pytest.approx(5 / 8 * both["decision_regret"])


def test_bfloat16_learns_too(tiny_folder, tmp_path):
    learner = Student.for_training(tiny_folder, Lora(r=4), seed=0, dtype=torch.bfloat16)
    path = tmp_path / "metrics.jsonl"
    rows = questions(learner, 8) * 6
    train(learner, rows, tmp_path, weights=SFT, bf16=True, callbacks=[MetricsWriter(path, 8)])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[-1]["loss"] < lines[0]["loss"] - 1
    assert all(line["decision_imitation"] == pytest.approx(line["imitation"], rel=1e-6) for line in lines)
    assert {weight.dtype for weight in adapter(learner).values()} == {torch.float32}


def test_padding_of_choices_counts_for_nothing(tiny_folder):
    learner = student(tiny_folder)
    long, short = questions(learner, 2)
    short = TrainingQuestion(learner.tokenize(prompts(2)[1], ["A", "B"]), 0, (0.4, 0.6), (0.0, 1.0))
    batch = Batch.of([long, short])
    assert batch["soft_QC"].shape == (2, 4)
    assert batch["regret_QC"][1].tolist() == [0.0, 1.0, 0.0, 0.0]


def test_a_full_disk_is_an_input_error(tiny_folder, tmp_path, monkeypatch):
    learner = student(tiny_folder)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(learner.model, "save_pretrained", full)
    with pytest.raises(InputError, match="No space left on device"):
        train(learner, questions(learner, 8), tmp_path, checkpoint_steps=1)
