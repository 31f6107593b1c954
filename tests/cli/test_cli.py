"""The verbs: how fast they answer, what they call, what they say and with which exit code they end."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

import simdistill.runs
from simdistill import config
from simdistill.cli import app
from simdistill.errors import InputError, ProcessError
from simdistill.registry import KINDS, names

SCRIPT = Path(sys.executable).with_name("simdistill")


def call(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def pipeline(monkeypatch):
    """A pipeline that records its calls."""
    calls = []
    fake = SimpleNamespace(calls=calls)
    for verb in ("run", "resume", "evaluate", "report"):
        setattr(fake, verb, lambda what, console, verb=verb: calls.append((verb, what)))
    monkeypatch.setitem(sys.modules, "simdistill.runs.pipeline", fake)
    monkeypatch.setattr(simdistill.runs, "pipeline", fake, raising=False)
    return fake


@pytest.fixture
def run_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "outputs" / "queueing" / "one"
    folder.mkdir(parents=True)
    config.save(config.compose(["task=queueing"])[0], folder / "config.yaml")
    return folder


def raising(error: BaseException):
    def run(what, console):
        raise error

    return run


def test_help_answers_in_half_a_second():
    def seconds() -> float:
        # Its own time, which doesn't depend on what else the machine has to do.
        before = os.times()
        subprocess.run([SCRIPT, "--help"], check=True, capture_output=True)
        after = os.times()
        return sum(after[2:4]) - sum(before[2:4])

    assert min(seconds() for _ in range(5)) < 0.5


def test_help_names_every_verb():
    shown = call("--help").stdout
    assert all(
        verb in shown
        for verb in (
            "run",
            "evaluate",
            "report",
            "play",
            "new",
            "check",
            "validate",
            "verify",
            "trace",
            "fetch",
            "list",
        )
    )


def test_help_says_how_completion_is_installed():
    assert "--install-completion" in call("--help").stdout


def test_version():
    assert call("--version").stdout.strip() == f"simdistill {simdistill.__version__}"


def test_run_composes_its_overrides(pipeline):
    result = call("run", "task=queueing", "seed=1", "student.lora.r=8")
    assert result.exit_code == 0, result.stderr
    assert [(verb, one.seed, one.student.lora.r) for verb, one in pipeline.calls] == [("run", 1, 8)]


def test_a_sweep_gives_each_run_a_process(pipeline, monkeypatch):
    started, commands = [], []
    pipeline.start = lambda config: started.append(config.seed) or f"outputs/run{config.seed}"

    def run(command):
        commands.append(command[1:])
        return SimpleNamespace(returncode=3 if "outputs/run1" in command[-1] else 0)

    monkeypatch.setattr("simdistill.cli.runs.subprocess.run", run)
    result = call("run", "task=queueing", "seed=0,1,2")
    assert started == [0, 1, 2]
    assert commands == [["-m", "simdistill", "run", f"resume=outputs/run{seed}"] for seed in (0, 1)]
    assert result.exit_code == 3  # a run that failed ends the sweep


def test_several_runs_are_not_launched_as_one(pipeline, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = call("run", "task=queueing", "seed=0,1,2")
    assert result.exit_code == 2 and "accelerate launch takes one run, not 3" in result.stderr


def test_a_student_is_not_examined_by_several_processes(pipeline, run_folder, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = call("evaluate", "outputs/queueing/one")
    assert result.exit_code == 2 and "evaluate works without it, in one process" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [("run", "resume=outputs/queueing/one"), ("evaluate", "outputs/queueing/one"), ("report", ".")],
)
def test_verbs_that_take_a_run(pipeline, run_folder, monkeypatch, arguments):
    if arguments[-1] == ".":
        monkeypatch.chdir(run_folder)
    assert call(*arguments).exit_code == 0
    ((verb, folder),) = pipeline.calls
    assert verb == ("resume" if arguments[0] == "run" else arguments[0])
    assert folder.samefile(run_folder)


def test_a_run_goes_on_with_fields_that_change_no_result(pipeline, run_folder):
    result = call("run", "resume=outputs/queueing/one", "threads=2")
    assert result.exit_code == 0, result.stderr
    assert [verb for verb, _ in pipeline.calls] == ["resume"]
    assert config.load_config(run_folder / "config.yaml").threads == 2


@pytest.fixture
def examined(run_folder) -> Path:
    """A run's folder with results."""
    cell = Path(__file__).parents[2] / "benchmarks" / "results" / "cpu-v1" / "queueing-sft-0"
    shutil.copy(cell / "metrics.json", run_folder)
    return run_folder


def test_json_stands_alone_on_stdout(examined, capfd, pipeline):
    def run(what, console):
        console.print("teaching")
        print("a print of a model")
        subprocess.run([sys.executable, "-c", "print('a print of a worker')"], check=True)
        return Path("outputs/queueing/one")

    pipeline.run = run
    result = call("run", "task=queueing", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["folder"] == str(examined) and told["metrics"] == str(examined / "metrics.json")
    assert told["report"].endswith("report.html") and told["adapter"].endswith("adapter")
    assert told["reference"] == "optimum" and told["seconds"] > 0
    figures = told["headline"]["in_distribution"]
    assert figures["student"] > figures["reference"] > 0 and figures["heuristic"] > 0
    low, high = figures["gap_percent_ci95"]
    assert low < figures["gap_percent"] < high and not figures["student_is_unstable"]
    assert told["headline"]["default"]["gap_percent_ci95"] is None
    assert "teaching" in result.stderr and "a print of a model" in result.stderr
    outside = capfd.readouterr()
    assert outside.out == "" and outside.err == "a print of a worker\n"


def test_json_of_a_sweep_has_every_run(examined, pipeline, monkeypatch):
    pipeline.start = lambda config: Path("outputs/queueing/one")
    done = SimpleNamespace(returncode=0)
    monkeypatch.setattr("simdistill.cli.runs.subprocess.run", lambda command: done)
    told = json.loads(call("run", "task=queueing", "seed=0,1", "--json").stdout)
    assert [run["folder"] for run in told["runs"]] == [str(examined)] * 2


def test_json_of_a_failed_run_is_left_out(pipeline):
    pipeline.run = raising(InputError("no"))
    result = call("run", "task=queueing", "--json")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", "simdistill: no\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "task=quueing"), "did you mean 'queueing'?"),
        (("run",), "add task=NAME; available: admission"),
        (("run", "task=queueing", "distill.batch_size=0"), "distill.batch_size: 0 should be greater than"),
        (("run", f"task={300 * 'x'}"), "no task 'xxx"),
        (("run", f"resume={300 * 'x'}"), "this name is too long for the file system; shorten it"),
        (("run", "task=queueing", "seed='"), "should be a valid integer"),
        (("run", "resume=nowhere"), "nowhere: there is no run (no config.yaml) here; runs: outputs/q"),
        (("run", "resume=outputs/queueing/one", "seed=1"), "seed is 0 in the run and 1 as given"),
        (("run", "resume=one", "resume=two"), "resume= takes one run, not 2: one, two"),
        (("evaluate", "nowhere"), "nowhere: there is no run"),
        (("report", "nowhere"), "nowhere: there is no run"),
        (("play", "task=queueing", "seed=0,1"), "not 2 runs"),
    ],
)  # fmt: skip
def test_bad_input_ends_with_one_message_and_exit_code_2(pipeline, run_folder, arguments, told):
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("simdistill: ") and told in result.stderr
    assert "Traceback" not in result.output
    assert not pipeline.calls


def test_an_unknown_verb_or_option_ends_with_exit_code_2():
    assert call("runn").exit_code == 2
    assert call("run", "--fast").exit_code == 2


def test_the_script_prints_no_traceback():
    result = subprocess.run([SCRIPT, "run", "task=quueing"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("simdistill: no task 'quueing'; available: admission, ")
    assert result.stderr.endswith("; did you mean 'queueing'?\n")


def test_input_errors_of_the_pipeline(pipeline):
    pipeline.run = raising(InputError("outputs/queueing/one: in use by another run"))
    result = call("run", "task=queueing")
    assert (result.exit_code, result.stderr) == (
        2,
        "simdistill: outputs/queueing/one: in use by another run\n",
    )


def test_a_failing_simulator_is_told_with_its_place(pipeline):
    def run(what, console):
        try:
            {}["patients"]
        except KeyError as error:
            raise ProcessError("Clinic", (0, 1, 7), 12.5, "KeyError: 'patients'") from error

    pipeline.run = run
    result = call("run", "task=queueing")
    assert result.exit_code == 2
    first, second = result.stderr.splitlines()
    assert first == "simdistill: Clinic: KeyError: 'patients' (episode 7, seed [0, 1, 7], time 12.5)"
    assert second.startswith(f"  in {__file__}, line ") and '{}["patients"]' in second


def test_a_stopped_run_says_how_to_go_on(pipeline):
    pipeline.run = raising(KeyboardInterrupt("outputs/queueing/one"))
    result = call("run", "task=queueing")
    told = "simdistill: stopped; go on with simdistill run resume=outputs/queueing/one\n"
    assert (result.exit_code, result.stderr) == (130, told)
    pipeline.run = raising(KeyboardInterrupt("outputs/a b/one"))
    assert call("run", "task=queueing").stderr.endswith("run resume='outputs/a b/one'\n")
    pipeline.run = raising(KeyboardInterrupt())
    result = call("run", "task=queueing")
    assert (result.exit_code, result.stderr) == (130, "simdistill: stopped\n")


def test_a_full_disk(pipeline):
    pipeline.run = raising(OSError(errno.ENOSPC, "No space left on device", "outputs/x"))
    result = call("run", "task=queueing")
    assert result.exit_code == 1
    assert result.stderr.startswith("simdistill: the disk is full: no space left for outputs/x")


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("0"), PermissionError(errno.EACCES, "denied", "outputs")]
)
def test_other_errors_keep_their_traceback(pipeline, error):
    pipeline.run = raising(error)
    assert call("run", "task=queueing").exception is error


def test_list_describes_everything():
    result = call("list")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    sections = [line.strip() for line in lines if line.strip() and not line.startswith(" ")]
    assert [kind for kind in sections if kind != "tasks"] == [kind for kind in KINDS if names(kind)]
    assert sections[1] == "tasks"
    for name in ("queueing", "search", "simdistill", "smollm2-135m", "processes"):
        (line, *_) = [line for line in lines if line.startswith(f"  {name} ")]
        assert len(line.split(None, 1)[1]) > 10
    assert "can't be loaded" not in result.stdout
