"""The sampled trainer: GRPO and demonstrations in one step, exact under accumulation and interruption."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import TrainerCallback

from simdistill.data.kinds.decision import DecisionQuestion
from simdistill.data.question import Question
from simdistill.errors import InputError
from simdistill.files import read_json, read_lines
from simdistill.models.device import quiet
from simdistill.models.likelihood import choice_log_probabilities, token_log_probabilities
from simdistill.models.lora import Lora
from simdistill.models.packing import TokenizedQuestion, pack
from simdistill.models.student import Student
from simdistill.rewards import consistency
from simdistill.simulation.situations import Situation
from simdistill.simulators.queueing import Queueing
from simdistill.training.callbacks import MetricsWriter
from simdistill.training.losses import Targets, terms
from simdistill.training.methods.chord import phi
from simdistill.training.sampling import SamplingConfig
from simdistill.training.schedule import Schedule
from simdistill.training.trainers.batch import Batch, training_questions
from simdistill.training.trainers.plain import sampling
from simdistill.training.trainers.sampled import Demonstration, Mix, Shown, SimDistillTrainer, demonstrations
from simdistill.training.weights import Weights

MIX = Mix(policy=1.0, imitation=0.5, per_step=6)
LABELS = ["A", "B", "10"]


def asked(count: int) -> list[Question]:
    """Questions with values and answers that differ."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(count):
        values = rng.exponential(size=len(LABELS))
        values -= values.min()
        found.append(
            DecisionQuestion(
                task="queueing",
                simulator="queueing",
                split="train",
                round=0,
                group=0,
                prompt=[{"role": "user", "content": f"Jobs A {number % 7}, B {number}."}],
                choices=LABELS,
                answer=LABELS[int(values.argmin())],
                situation=Situation(Queueing.Params(), (0,), (), 0.0, {}, tuple(LABELS)),
                values=values.tolist(),
                standard_errors=[0.1] * len(LABELS),
                raw_values=[0.0] * len(LABELS),
                raw_standard_errors=[0.0] * len(LABELS),
            )
        )
    return found


def letters(completions, **columns) -> list[float]:
    """A reward that differs between the babbled answers of a model that knows nothing."""
    return [sum(map(ord, said[-1]["content"])) % 7 / 7 for said in completions]


def student(tiny_folder, seed: int = 0) -> Student:
    """One whose adapter isn't zero, so that every weight of it has a gradient."""
    learner = Student.for_training(tiny_folder, Lora(r=2, alpha=8), seed=seed, dtype=torch.float32)
    torch.manual_seed(seed)
    for name, weight in learner.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return learner


def schedule(folder, **changes) -> Schedule:
    return replace(Schedule(1e-2, 0.0, 0, 8, folder, 0, 0, bf16=False), **changes)


def trainer(learner: Student, plan: Schedule, mix: Mix = MIX, callbacks=(), shown=None) -> SimDistillTrainer:
    rows = asked(8)
    with quiet():
        return SimDistillTrainer(
            demonstrations=demonstrations(training_questions(learner, rows, {"queueing": 1.0}, 0.1), 0.5)
            if shown is None
            else shown,
            mix=mix,
            model=learner.model,
            processing_class=learner.tokenizer,
            **sampling(learner, rows, {"queueing": 1.0}, SamplingConfig(samples=4), plan)
            | {"reward_funcs": letters},
            callbacks=list(callbacks),
        )


class Gradients(TrainerCallback):
    """Keeps the gradients of the first optimizer step."""

    def __init__(self):
        self.found = {}

    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        if not self.found:
            named = kwargs["model"].named_parameters()
            self.found = {name: weight.grad.clone() for name, weight in named if weight.requires_grad}


class Stop(TrainerCallback):
    """Stops after a step, as a kill would."""

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 2:
            raise KeyboardInterrupt


def first_gradients(learner: Student, plan: Schedule, mix: Mix) -> dict[str, torch.Tensor]:
    gradients = Gradients()
    plan.train(trainer(learner, plan, mix, [gradients]))
    assert max(gradient.abs().max() for gradient in gradients.found.values()) > 1e-3
    return gradients.found


def adapter(learner: Student) -> dict[str, torch.Tensor]:
    return {n: w.detach().clone() for n, w in learner.model.named_parameters() if w.requires_grad}


def test_demonstrated_tokens_weigh_what_they_should():
    questions = [TokenizedQuestion((1, 2), ((3,), (3, 4)), 0), TokenizedQuestion((1, 5), ((4,),), 0)]
    shown = Shown.of(
        [Demonstration(questions[0], (0.25, 0.75)), Demonstration(questions[1], (1.0,))], torch.device("cpu")
    )
    assert float(shown.share_N.sum()) == pytest.approx(0.25 * 2 + 0.75 * 3 + 2)
    batch = pack(questions)
    logits_JV = torch.randn(len(batch.scored_J), 6, generator=torch.Generator().manual_seed(0))
    log_p_N = token_log_probabilities(logits_JV, batch)
    rows = logits_JV.log_softmax(-1)
    log_p = [rows[0, 3] + rows[1, 0], rows[0, 3] + rows[1, 4] + rows[2, 0], rows[3, 4] + rows[4, 0]]
    plain = shown.loss(log_p_N, torch.ones_like)
    torch.testing.assert_close(plain, -(0.25 * log_p[0] + 0.75 * log_p[1] + log_p[2]))
    p_N = log_p_N.exp()
    weighted = shown.loss(log_p_N.requires_grad_(), phi)
    torch.testing.assert_close(weighted, -(shown.share_N * p_N * (1 - p_N) * log_p_N).sum())
    weighted.backward()
    # The weight's own gradient isn't taken.
    torch.testing.assert_close(log_p_N.grad, -shown.share_N * p_N * (1 - p_N))


def test_soft_demonstrations_are_the_exact_loss(tiny_folder):
    learner, questions = student(tiny_folder), asked(5)
    taught = training_questions(learner, questions, {"queueing": 1.0}, 0.1)
    shown = Shown.of(demonstrations(taught, 0.5), torch.device("cpu"))
    rows = Batch.of(taught)
    targets = Targets(rows["hard_Q"], rows["soft_QC"], rows["regret_QC"])
    with torch.no_grad():
        logits = learner.model(**shown.batch.model_inputs()).logits
    exact_Q = terms(choice_log_probabilities(logits, shown.batch), targets).loss_Q(Weights(1, 0.5, 0, 1))
    sampled = shown.loss(token_log_probabilities(logits, shown.batch), torch.ones_like)
    torch.testing.assert_close(sampled, exact_Q.sum(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mix", [Mix(0.9, 0.1, 6, phi), Mix(1.0, 0.5, 5)])
def test_accumulated_batches_have_the_gradient_of_one(mix, tiny_folder, tmp_path):
    """Five or six demonstrations over two batches: not the same number of tokens in each."""
    whole = first_gradients(student(tiny_folder), schedule(tmp_path / "one", batch_size=16), mix)
    plan = schedule(tmp_path / "two", batch_size=8, accumulation=2)
    parts = first_gradients(student(tiny_folder), plan, mix)
    for name, gradient in whole.items():
        torch.testing.assert_close(parts[name], gradient, rtol=1e-3, atol=1e-5)


TWO = """
import sys
sys.path.insert(0, {here!r})
import test_sampled as here
from pathlib import Path
from simdistill import distributed as launched
from simdistill.files import write_json

def main():
    gradients, folder = here.Gradients(), Path({folder!r})
    plan = here.schedule(folder, batch_size=8)
    made = here.trainer(here.student({tiny!r}), plan, here.Mix(0.0, 1.0, 5), [gradients])
    plan.train(made)
    if launched.is_first():
        here.torch.save(gradients.found, folder / "gradients.pt")
        write_json(folder / "log.json", made.state.log_history[0])

launched.meet("cpu")
main()
"""


@pytest.mark.slow
def test_two_processes_have_the_gradient_of_one(tiny_folder, tmp_path):
    """Of demonstrations alone, since each process samples answers of its own; five, three and two of them."""
    (tmp_path / "two").mkdir()
    script = tmp_path / "two.py"
    here, folder = str(Path(__file__).parent), str(tmp_path / "two")
    script.write_text(TWO.format(here=here, folder=folder, tiny=str(tiny_folder)))
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(script)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    path, mix = tmp_path / "metrics.jsonl", Mix(0.0, 1.0, 5)
    gradients, plan = Gradients(), schedule(tmp_path / "one", batch_size=16)
    plan.train(trainer(student(tiny_folder), plan, mix, [gradients, MetricsWriter(path, 8)]))
    found, line, log = torch.load(tmp_path / "two" / "gradients.pt"), read_lines(path)[0], "log.json"
    for name, gradient in gradients.found.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-5)
    for name in ("loss", "imitation", "imitation_gradient"):
        assert read_json(tmp_path / "two" / log)[name] == pytest.approx(line[name], rel=1e-5)


def test_a_training_resumed_in_the_middle_has_the_same_losses(tiny_folder, tmp_path):
    logs = [tmp_path / "whole.jsonl", tmp_path / "broken.jsonl"]
    whole, broken, resumed = (student(tiny_folder, seed) for seed in (0, 0, 5))
    plan = schedule(tmp_path / "whole", checkpoint_steps=1)
    plan.train(trainer(whole, plan, callbacks=[MetricsWriter(logs[0], 8)]))
    plan = schedule(tmp_path / "broken", checkpoint_steps=1, resume=True)
    with pytest.raises(KeyboardInterrupt):
        plan.train(trainer(broken, plan, callbacks=[MetricsWriter(logs[1], 8), Stop()]))
    plan.train(trainer(resumed, plan, callbacks=[MetricsWriter(logs[1], 8)]))
    assert len(read_lines(logs[0])) == 4
    assert logs[1].read_text() == logs[0].read_text()
    for name, weight in adapter(whole).items():
        torch.testing.assert_close(adapter(resumed)[name], weight, rtol=0, atol=0)


def test_steps_show_the_demonstrations_in_their_order(tiny_folder, tmp_path):
    learner = student(tiny_folder)
    plan = schedule(tmp_path, batch_size=4, accumulation=2)
    made = trainer(learner, plan, replace(MIX, per_step=3))
    places = []
    for step in range(4):
        made.state.global_step = step
        parts = made._parts(2)
        places.append(sorted(made.demonstrations.index(one) for part in parts for one in part))
        assert [len(part) for part in parts] == [2, 1]
    assert places == [[0, 1, 2], [3, 4, 5], [0, 6, 7], [1, 2, 3]]


def test_the_log_has_both_terms_unweighted_with_their_gradients(tiny_folder, tmp_path):
    learner, path = student(tiny_folder), tmp_path / "metrics.jsonl"
    plan = schedule(tmp_path, batch_size=32, learning_rate=1e-9)
    mix = Mix(policy=2.0, imitation=0.25, per_step=8)
    made = trainer(learner, plan, mix, [MetricsWriter(path, 16)])
    scored = {}

    def watched(completions, completion_ids, **columns):
        rewards_B = np.array(letters(completions))
        advantages_B = (rewards_B.reshape(-1, 4) - rewards_B.reshape(-1, 4).mean(-1, keepdims=True)).ravel()
        scored["lengths_B"], scored["advantages_B"] = np.array(list(map(len, completion_ids))), advantages_B
        return rewards_B.tolist()

    made.reward_funcs[0] = watched
    shown = Shown.of(made.demonstrations, torch.device("cpu"))
    with torch.no_grad():
        log_p_N = token_log_probabilities(learner.model(**shown.batch.model_inputs()).logits, shown.batch)
    plan.train(made)
    (line,) = read_lines(path)
    tokens = float(shown.share_N.sum())
    assert line["imitation"] == pytest.approx(float(shown.loss(log_p_N, torch.ones_like)) / tokens, rel=1e-4)
    assert line["imitation_gradient"] == pytest.approx(float(shown.share_N.norm()) / tokens, rel=1e-5)
    assert made.max_completion_length == 4
    # On policy, the gradient in a token's log-probability is the advantage, over answers and their longest.
    squares = (scored["advantages_B"] ** 2 * scored["lengths_B"]).sum()
    assert line["policy_gradient"] == pytest.approx(np.sqrt(squares) / (32 * 4), rel=1e-4)
    assert line["loss"] == pytest.approx(2 * line["policy"] + 0.25 * line["imitation"], rel=1e-4)
    assert line["tokens"] > shown.batch.input_ids.numel()
    assert line["frac_reward_zero_std"] == (scored["advantages_B"].reshape(-1, 4) == 0).all(-1).mean() < 1


def test_an_evaluation_shows_no_demonstrations(tiny_folder, tmp_path):
    made = trainer(student(tiny_folder), schedule(tmp_path))
    with quiet():
        found = made.evaluate(made.train_dataset)  # type: ignore[arg-type]
    assert np.isfinite(found["eval_loss"]) and "eval_imitation" not in found


@pytest.mark.parametrize(("shown", "per_step"), [([], 6), (None, 1)])
def test_batches_without_demonstrations_are_refused(shown, per_step, tiny_folder, tmp_path):
    plan = schedule(tmp_path, batch_size=4, accumulation=2)
    with pytest.raises(InputError, match=f"{per_step} in a step: each of a step's 2 batches"):
        trainer(student(tiny_folder), plan, replace(MIX, per_step=per_step), shown=shown)


def test_answers_may_follow_free_text(tiny_folder, tmp_path):
    """Reasons are imitated as the answers after them are, and samples have room for both."""
    learner, rows = student(tiny_folder), asked(8)
    told = [f"So many wait.\nAnswer: {question.answer}" for question in rows]
    asked_for = [learner.tokenize(q.prompt, [text]) for q, text in zip(rows, told, strict=True)]
    length = max(len(question.choice_ids[0]) for question in asked_for)
    assert length > max(len(ids) for q in rows for ids in learner.tokenize(q.prompt, q.choices).choice_ids)
    plan, heard = schedule(tmp_path, batch_size=4), []

    def reward(completions, completion_ids, **columns) -> list[float | None]:
        heard.extend(completion_ids)
        return consistency(completions=completions, **columns)

    with quiet():
        given = sampling(
            learner, rows, {"queueing": 1.0}, SamplingConfig(samples=2, answer_tokens=length), plan
        )
        made = SimDistillTrainer(
            demonstrations=[Demonstration(question, (1.0,)) for question in asked_for],
            mix=Mix(policy=1.0, imitation=1.0, per_step=8),
            model=learner.model,
            processing_class=learner.tokenizer,
            callbacks=[MetricsWriter(tmp_path / "metrics.jsonl", 8)],
            **given | {"reward_funcs": reward},
        )
    plan.train(made)
    losses = [row["imitation"] for row in read_lines(tmp_path / "metrics.jsonl")]
    assert len(losses) == 4 and losses[-1] < losses[0] - 0.1
    assert max(map(len, heard)) == length
