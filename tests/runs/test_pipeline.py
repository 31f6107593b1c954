"""The whole job with a tiny student: every file, resuming, and what is said when something is wrong."""

import hashlib
import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from datasets import load_dataset
from filelock import FileLock
from rich.console import Console
from safetensors import safe_open

from simdistill import registry
from simdistill.config import compose, fingerprint
from simdistill.data import store as questions
from simdistill.envs.prompts import Prompter
from simdistill.errors import InputError
from simdistill.evaluation.student_policy import StudentPolicy
from simdistill.files import read_json, read_lines
from simdistill.models.pretrained import base_model, load_model
from simdistill.models.student import Student
from simdistill.results import SETTINGS, Results
from simdistill.runs import console as terminal
from simdistill.runs import pipeline
from simdistill.simulators.queueing import Queueing
from simdistill.training.callbacks import Watch
from simdistill.training.methods.simdistill import SimDistill

FILES = (
    "config.yaml",
    "questions.parquet",
    "adapter/adapter_model.safetensors",
    "adapter/README.md",
    "metrics.json",
    "metrics.jsonl",
    "rollouts.jsonl",
    "environment.json",
    "report.html",
)


class Stop(Exception):
    """Something kills the run."""


def read_yaml(path: Path) -> dict:
    return yaml.safe_load(path.read_text())


def quiet() -> Console:
    return Console(quiet=True)


def test_a_run_leaves_every_file(finished):
    assert [name for name in FILES if not (finished / name).is_file()] == []


def test_launched_in_two_processes_it_trains_as_in_one(finished, tiny_folder, tmp_path, tiny_run):
    launch = "launch --multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no"
    what = [*tiny_run, f"student.name={tiny_folder}", f"output={tmp_path / 'run'}", "device=cpu"]
    accelerate = [sys.executable, "-m", "accelerate.commands.accelerate_cli", *launch.split()]
    done = subprocess.run(
        [*accelerate, "-m", "simdistill", "run", *what], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert [name for name in FILES if not (tmp_path / "run" / name).is_file()] == []
    one, two = read_lines(finished / "metrics.jsonl"), read_lines(tmp_path / "run" / "metrics.jsonl")
    # The same questions in every step, packed by two, so that more tokens are computed.
    assert all(ours["tokens"] > alone["tokens"] for ours, alone in zip(two, one, strict=True))
    for ours, alone in zip(two, one, strict=True):
        assert ours | {"tokens": 0} == pytest.approx(alone | {"tokens": 0}, rel=1e-4)


def test_a_batch_that_processes_cannot_share_is_refused(tiny_folder, tmp_path, monkeypatch, small):
    monkeypatch.setenv("WORLD_SIZE", "3")
    method = SimDistill(small(tiny_folder, tmp_path), tmp_path)
    with pytest.raises(InputError, match="a batch of 8 can't be divided among 3 processes"):
        method.prepare()


def test_a_student_that_never_answers_is_shown_and_keeps_its_results(finished, tiny_folder):
    """The tiny one has learned too little for an answer."""
    results = Results.read(finished / "metrics.json")
    (task,) = results.tasks
    assert task.valid_answers == 0 and len(task.said_instead_of_choices) == 10
    config, student = pipeline.Record.of(finished).config, Student.load(tiny_folder, finished / "adapter")
    state = {"arrival_rate": 2.0, "service_rates": [2.0, 0.5], "jobs": [3, 1]}
    policy = StudentPolicy(student, Prompter(config.task.language))
    policy(state, ["A", "B"])
    (one,) = policy.said_instead()
    assert one["choices"] == ["A", "B"] and one["said"] not in ("A", "B")
    console = Console(record=True, width=200)
    with console.capture() as printed:
        terminal.results(console, results, config)
    assert f"none of the choices in {task.questions_asked} answers" in printed.get()
    assert printed.get().count(", of A, B") == 10
    assert "said none of the choices" in (finished / "report.html").read_text()


def test_a_student_that_answers_once_is_not_diagnosed(tiny_folder, monkeypatch):
    student = Student.load(tiny_folder)
    policy = StudentPolicy(student, Prompter(compose(["task=queueing"])[0].task.language))
    state = {"arrival_rate": 2.0, "service_rates": [2.0, 0.5], "jobs": [3, 1]}
    policy(state, ["A", "B"])
    (key, answer), *_ = policy.answers.items()
    policy.answers["another", *key[1:]] = replace(answer, greedy=0)
    monkeypatch.setattr(Student, "texts", lambda self, asked: pytest.fail("asked"))
    assert policy.said_instead() == []


def test_answers_in_another_form_are_counted_apart(tiny_folder, monkeypatch):
    policy = StudentPolicy(Student.load(tiny_folder), Prompter(compose(["task=queueing"])[0].task.language))
    for first in range(4):
        policy({"arrival_rate": 2.0, "service_rates": [2.0, 0.5], "jobs": [first, 1]}, ["A", "B"])
    said = iter(["**A**", "A or B", "Answer: b", "C"])
    monkeypatch.setattr(Student, "texts", lambda self, asked: [next(said) for _ in asked])
    assert policy.valid == 0.0 and policy.lenient == 0.5


def test_metrics_hold_what_is_promised(finished):
    results = Results.read(finished / "metrics.json")
    (task,) = results.tasks
    assert (task.task, results.method, results.seed) == ("queueing", "simdistill", 0)
    assert {"random", "untuned", "teacher", "student", "optimum"} <= task.policies.keys()
    for policy in task.policies.values():
        assert set(policy.cost) == set(SETTINGS)
    assert task.policies["untuned"].cost["in_distribution"] is None
    assert {"teach", "distil", "own states", "examine", "report"} <= results.seconds.keys()
    assert results.questions == 72 and results.tokens.trained > 72
    skill = task.measure("forecast_skill", "in_distribution")
    assert skill is not None and skill.low <= skill.mean
    assert task.forecasts is not None and task.forecasts.states == 4
    assert task.forecasts.log_score["simulator"] < task.forecasts.log_score["student"]
    assert task.simulator_steps.teach > 0 and task.simulator_steps.own_states > 0
    assert task.states_searched == 8 * 4 * 2 + 16
    assert set(task.measures) == set(registry.names("metrics"))
    assert all(set(measure) == set(SETTINGS) for measure in task.measures.values())
    assert sum(results.updates) == 9
    points = results.learning.points
    assert points[-1].questions == 72 and results.learning.heuristic >= 0
    assert all(point.validation_regret >= 0 and point.seconds > 0 for point in points)


def test_metrics_say_what_they_are_of(finished):
    metrics = read_json(finished / "metrics.json")
    assert metrics["versions"]["torch"] and metrics["commit"]
    for name, checksum in metrics["sha256"].items():
        assert hashlib.sha256((finished / name).read_bytes()).hexdigest() == checksum
    trained = Student.load(read_yaml(finished / "config.yaml")["student"]["name"], finished / "adapter")
    with safe_open(finished / "adapter" / "adapter_model.safetensors", "pt") as weights:
        count = sum(weights.get_tensor(name).numel() for name in weights.keys())  # noqa: SIM118
    assert metrics["parameters"] == {"trained": count, "all": count + trained.model.num_parameters()}


def test_seed_and_place_do_not_change_a_configurations_fingerprint(finished, tiny_folder, tmp_path, small):
    known = read_json(finished / "metrics.json")["config_sha256"]
    elsewhere = small(tiny_folder, tmp_path, "seed=5", "workers=2", "threads=2")
    other = small(tiny_folder, tmp_path, "distill.questions=47")
    assert fingerprint(elsewhere.model_dump(mode="json")) == known
    assert fingerprint(other.model_dump(mode="json")) != known


def test_questions_are_a_dataset_and_tell_whose_states_they_are(finished):
    rows = load_dataset("parquet", data_files=str(finished / "questions.parquet"), split="train")
    assert set(rows["round"]) == {0, 1}
    decisions = [row for row in rows.to_list() if row["kind"] == "decision"]
    assert len(decisions) == 64
    for row in decisions:
        assert row["answer"] in row["choices"] and min(row["values"]) == 0


def test_forecasts_are_asked_behind_decisions_about_the_same_state(finished):
    rows = questions.load(finished / "questions.parquet")
    asked = [place for place, row in enumerate(rows) if not row.decides]
    assert len(asked) == 8
    for place in asked:
        decision, forecast = rows[place - 1], rows[place]
        assert forecast.situation.state == decision.situation.state
        assert forecast.answer in forecast.choices
        assert forecast.prompt[1]["content"].startswith(decision.prompt[1]["content"])
        shares = forecast.answer_C
        assert sum(shares) == pytest.approx(1) and min(shares) > 0


def test_every_term_is_logged(finished):
    rows = [row for row in read_lines(finished / "metrics.jsonl") if "loss" in row]
    assert [row["questions"] for row in rows] == list(range(8, 73, 8))
    assert {"imitation", "regret", "validity", "learning_rate", "grad_norm"} <= rows[0].keys()
    assert rows[-1]["learning_rate"] < rows[2]["learning_rate"]


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # PEFT's own
def test_the_adapter_loads_with_peft(finished):
    from peft import AutoPeftModelForCausalLM

    model = AutoPeftModelForCausalLM.from_pretrained(finished / "adapter")
    assert model.active_adapter == "default"


def test_an_export_decides_as_the_student_does(finished, tmp_path):
    from transformers import AutoModelForCausalLM

    from simdistill.runs.export import export

    model, adapter = export(finished, tmp_path / "export")
    merged = AutoModelForCausalLM.from_pretrained(model, attn_implementation="sdpa").eval()
    config = pipeline.Record.of(finished).config
    student = Student.load(config.student.name, finished / "adapter")
    exported = replace(student, model=merged, _answers={})
    asked = questions.load(finished / "questions.parquet")[:8]
    for before, after in zip(student.score(asked), exported.score(asked), strict=True):
        assert np.allclose(before.log_probabilities_C, after.log_probabilities_C, atol=1e-5)
    # What vLLM reads (vllm/lora/peft_helper.py): the two files, a rank, no bias, nothing saved besides.
    settings = read_json(adapter / "adapter_config.json")
    assert {path.name for path in adapter.iterdir()} >= {"adapter_config.json", "adapter_model.safetensors"}
    assert settings["peft_type"] == "LORA" and settings["r"] == 2 and settings["bias"] == "none"
    assert not settings["modules_to_save"] and not settings["use_dora"]
    assert Path(settings["base_model_name_or_path"], "config.json").is_file()
    with safe_open(adapter / "adapter_model.safetensors", "pt") as tensors:
        assert all(name.endswith(("lora_A.weight", "lora_B.weight")) for name in tensors.keys())  # noqa: SIM118


def test_a_pruned_student_is_run_resumed_examined_exported_and_served(
    deep_folder, tmp_path, monkeypatch, small
):
    from simdistill.runs.export import export
    from simdistill.serving.service import Service

    monkeypatch.setenv("SIMDISTILL_CACHE", str(tmp_path / "cache"))
    what = ["method=hidden", "student.layers=3", f"teacher.model={deep_folder}", "student.lora.layers=20"]
    config = small(deep_folder, tmp_path / "run", *what)
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "examine", lambda *a: (_ for _ in ()).throw(Stop))
        with pytest.raises(Stop):
            pipeline.run(config, quiet())
    run = pipeline.evaluate(pipeline.resume(tmp_path / "run", quiet()), quiet())
    perplexity = Results.read(run / "metrics.json").perplexity
    assert perplexity["untuned"] > 1 and perplexity["student"] > 1
    assert perplexity["untuned"] != perplexity["student"]
    assert "perplexity of plain English" in (run / "report.html").read_text()
    assert read_json(run / "adapter" / "base.json")["name"] == "deep, 3 layers"
    assert f"layers 0, 2, 5 of {deep_folder}" in (run / "adapter" / "README.md").read_text()
    model, adapter = export(run)
    assert read_json(model / "config.json")["num_hidden_layers"] == 3
    base = Path(read_json(adapter / "adapter_config.json")["base_model_name_or_path"])
    assert read_json(base / "source.json")["layers"] == [0, 2, 5]
    Service(run).close()


def test_what_a_method_needs_is_missed_before_anything_is_simulated(
    tiny_folder, tmp_path, monkeypatch, small
):
    monkeypatch.setattr(pipeline, "teach", lambda *a: pytest.fail("simulated first"))
    config = small(tiny_folder, tmp_path / "run", "student.layers=9")
    with pytest.raises(InputError, match=r"student\.layers is 9; tiny has 2"):
        pipeline.run(config, quiet())
    config = small(tiny_folder, tmp_path / "other", "method=opd", f"teacher.model={tiny_folder}")
    with pytest.raises(InputError, match="is the student's own base model"):
        pipeline.run(config, quiet())


def test_a_policy_that_workers_cannot_have_is_told_before_anything_is_simulated(
    tiny_folder, tmp_path, monkeypatch, small
):
    monkeypatch.setattr(pipeline, "teach", lambda *a: pytest.fail("simulated first"))
    closures = {**Queueing.policies, "closure": lambda state, choices: choices[0]}
    monkeypatch.setattr(Queueing, "policies", closures)
    config = small(tiny_folder, tmp_path / "run", "workers=2")
    with pytest.raises(InputError, match=r"simulator queueing: policy 'closure' can't be sent .* workers=1"):
        pipeline.run(config, quiet())


def test_an_unfinished_run_is_not_exported(tiny_folder, tmp_path, small):
    from simdistill.runs.export import export

    folder = pipeline.start(small(tiny_folder, tmp_path / "run"))
    with pytest.raises(InputError, match="has no student yet; finish it with: simdistill run resume="):
        export(folder)


def test_a_finished_run_is_not_done_again(finished, monkeypatch):
    monkeypatch.setattr(SimDistill, "__call__", lambda *a: pytest.fail("trained again"))
    monkeypatch.setattr(Student, "load", lambda *a: pytest.fail("asked again"))
    before = (finished / "questions.parquet").stat().st_mtime_ns
    pipeline.resume(finished, quiet())
    assert (finished / "questions.parquet").stat().st_mtime_ns == before


class Unsolved(Queueing):
    """A process that can only be simulated."""

    markov = None


@pytest.fixture(scope="module", params=["steady_state", "terminating"])
def simulated(request, tiny_folder, tmp_path_factory, small) -> Path:
    what = [f"task.simulator={__name__}:Unsolved", f"task.kind={request.param}", "task.horizon=30"]
    what += ["task.warm_up=0"] if request.param == "terminating" else []
    config = small(tiny_folder, tmp_path_factory.mktemp("runs") / "run", *what, "evaluation.replications=4")
    return pipeline.run(config, quiet())


def test_a_process_without_a_solution_is_examined_by_simulation(simulated):
    (task,) = Results.read(simulated / "metrics.json").tasks
    assert task.reference == "teacher"
    for name in ("random", "untuned", "shortest_expected_delay", "teacher", "student"):
        cost = task.policies[name].cost["default"]
        assert cost is not None and not cost.exact
        assert cost.replications == (2 if name == "untuned" else 4)
    teacher_over = task.policies["teacher"].over_reference["default"]
    assert teacher_over is not None and teacher_over.mean == 0.0
    assert task.measure("over_reference", "in_distribution") is not None
    rows = read_lines(simulated / "rollouts.jsonl")
    student = [row for row in rows if row["policy"] == "student"]
    teacher = [row for row in rows if row["policy"] == "teacher"]
    assert [row["seed_path"] for row in student] == [row["seed_path"] for row in teacher]
    assert all(row["decisions"] > 0 for row in student)
    if read_yaml(simulated / "config.yaml")["task"]["kind"] == "terminating":
        assert all(row["halves"] == [] for row in rows)
    assert (
        "above the teacher" in (simulated / "report.html").read_text()
        or "below the teacher" in (simulated / "report.html").read_text()
    )


def test_a_run_stopped_in_training_ends_with_the_same_student(
    finished, tiny_folder, tmp_path, monkeypatch, small
):
    from simdistill.training import callbacks

    config = small(tiny_folder, tmp_path / "run")
    with monkeypatch.context() as patch:
        shown = callbacks.Watch.on_step_end

        def stop(self, args, state, control, **kwargs):
            if state.global_step == 5:
                raise Stop
            shown(self, args, state, control, **kwargs)

        patch.setattr(callbacks.Watch, "on_step_end", stop)
        with pytest.raises(Stop):
            pipeline.run(config, quiet())
    assert not (tmp_path / "run" / "adapter").exists()
    pipeline.resume(tmp_path / "run", quiet())
    for name in ("adapter/adapter_model.safetensors", "metrics.jsonl", "rollouts.jsonl", "examination.json"):
        assert (tmp_path / "run" / name).read_bytes() == (finished / name).read_bytes(), name


@pytest.mark.parametrize("method", ["hidden", "opd"])
def test_a_stopped_run_learns_from_no_other_expert(
    method, tiny_folder, deep_folder, tmp_path, monkeypatch, small
):
    expert = tmp_path / "expert"
    shutil.copytree(deep_folder, expert)
    config = small(tiny_folder, tmp_path / "run", f"method={method}", f"teacher.model={expert}")
    monkeypatch.setattr(Watch, "on_step_end", lambda *args, **kwargs: (_ for _ in ()).throw(Stop))
    with pytest.raises(Stop):
        pipeline.run(config, quiet())
    model = load_model(base_model(expert))
    next(model.parameters()).data[5] += 1
    model.save_pretrained(expert)
    said = f"the teacher {expert} has changed since this run began to learn from it: weights"
    with pytest.raises(InputError, match=said):
        pipeline.resume(tmp_path / "run", quiet())
    shutil.copytree(deep_folder, expert, dirs_exist_ok=True)
    with pytest.raises(Stop):  # trains on
        pipeline.resume(tmp_path / "run", quiet())


def test_a_killed_run_ends_with_the_same_student(finished, tiny_folder, tmp_path, tiny_run):
    folder = tmp_path / "run"
    overrides = [*tiny_run, f"student.name={tiny_folder}", f"output={folder}"]
    command = [sys.executable, "-m", "simdistill", "run", *overrides]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=tmp_path) as process:
        while not list(folder.glob("training/checkpoints-0/checkpoint-*/trainer_state.json")):
            assert process.poll() is None, "it ended before a checkpoint was seen"
            time.sleep(0.02)
        process.kill()
    assert not (folder / "adapter").exists()
    pipeline.resume(folder, quiet())
    for name in ("adapter/adapter_model.safetensors", "metrics.jsonl", "rollouts.jsonl"):
        assert (folder / name).read_bytes() == (finished / name).read_bytes(), name


def test_another_seed_gives_another_run(finished, tiny_folder, tmp_path, small):
    other = pipeline.run(small(tiny_folder, tmp_path / "run", "seed=1"), quiet())
    name = "adapter/adapter_model.safetensors"
    assert (other / name).read_bytes() != (finished / name).read_bytes()
    # The examination's parameters and random numbers don't depend on the training seed.
    sets = [read_json(run / "examination.json")["tasks"][0]["sets"] for run in (finished, other)]
    optimum = [[entry["cost"]["optimum"] for entry in found["in_distribution"]] for found in sets]
    assert optimum[0] == optimum[1]


def test_a_policy_can_be_the_teacher(tiny_folder, tmp_path, small):
    config = small(
        tiny_folder,
        tmp_path / "run",
        "teacher.name=join_shortest_queue",
        "distill.rounds=0",
        "distill.forecasts=0",
    )
    run = pipeline.run(config, quiet())
    for row in load_dataset("parquet", data_files=str(run / "questions.parquet"), split="train").to_list():
        jobs = json.loads(row["state"])["jobs"]
        if jobs[0] != jobs[1]:
            assert row["answer"] == "AB"[jobs.index(min(jobs))]


def test_a_folder_in_use_is_refused(finished):
    with FileLock(finished / ".lock"), pytest.raises(InputError, match="in use by another run"):
        pipeline.resume(finished, quiet())


def test_a_folder_with_a_run_is_not_overwritten(finished, tiny_folder, small):
    with pytest.raises(InputError, match="already holds a run"):
        pipeline.run(small(tiny_folder, finished), quiet())


def test_a_folder_without_a_run_is_told(tmp_path):
    with pytest.raises(InputError, match=r"no config\.yaml"):
        pipeline.resume(tmp_path, quiet())


def test_an_interrupted_run_says_where_it_was(tiny_folder, tmp_path, monkeypatch, small):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "teach", interrupt)
    with pytest.raises(KeyboardInterrupt, match=str(tmp_path / "run")):
        pipeline.run(small(tiny_folder, tmp_path / "run"), quiet())
