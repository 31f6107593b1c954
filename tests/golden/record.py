"""Writes the golden files again: what the package does today, for tests that compare it with tomorrow.

    python tests/golden/record.py

Only a change that is meant to change results may do that, and only with a sentence in the changelog that says
why they changed. Moved modules, new names and faster code are no reason: for other names of numbers in
`metrics.json` or on a board there are `metric_keys.json` and `board_keys.json`.

`python tests/golden/record.py old_run` alone writes `old_run/`, which is to stay what an older version wrote.
"""

import contextlib
import hashlib
import io
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import gymnasium
import internals
import numpy as np
import pyarrow.parquet
import yaml
from safetensors.numpy import save_file

HERE = Path(__file__).resolve().parent
BOARDS = HERE.parents[1] / "benchmarks" / "results"

SMALL = [
    "seed=0",
    "method=simdistill",
    "student.name=student",
    "student.lora.r=2",
    "student.lora.layers=2",
    "student.dtype=float32",
    "teacher.generations=2",
    "teacher.scenarios=12",
    "teacher.futures=4",
    "teacher.forecast_futures=4",
    "teacher.compared_sets=4",
    "task.horizon=100",
    "task.warm_up=20",
    "distill.learning_rate=0.01",
    "distill.questions=32",
    "distill.forecasts=8",
    "distill.rounds=1",
    "distill.round_questions=16",
    "distill.round_states_per_episode=2",
    "distill.tune_questions=8",
    "distill.batch_size=4",
    "distill.checkpoint_steps=2",
    "evaluation.parameter_sets=1",
    "evaluation.replications=2",
    "evaluation.tabulated_mass=0.5",
    "evaluation.questions_shown=2",
    "evaluation.forecasts=4",
    "evaluation.forecast_futures=16",
    "device=cpu",
    "workers=1",
    "threads=1",
]
RUNS = {
    "queueing": ["task=queueing"],
    # From random decisions on, so that a fitted policy is found and taught.
    "inventory": ["task=inventory", "teacher.base=random"],
}
STEPS = 10
"""Training steps whose losses are kept."""

FITTED = ("values", "standard_errors", "raw_standard_errors", "teacher_probabilities")
"""Columns of questions that pass through a fit."""

SIMULATED = ("raw_values", "probabilities", "time")
"""Columns of questions that simulation alone gives; those not in either are words and counts."""

CHOSEN_BY_FIT = ("teacher", "student", "untuned", "optimum")
"""Policies that decide by what passed through a matrix product; the others' rollouts are simulated alone."""

MEASURED = ("seconds", "peak_memory_mb", "decisions_per_second", "versions", "commit", "sha256")
"""Fields of `metrics.json` that belong to the machine or the moment."""

SIMULATORS: dict[str, tuple[float, float, bool]] = {
    "admission": (10, 90, False),
    "call_center": (0, 3000, True),
    "emergency_department": (100, 2900, False),
    "help_line": (0, 3000, True),
    "inventory": (10, 90, False),
    "job_shop": (0, 3000, True),
    "queueing": (10, 90, False),
    "scheduling": (10, 90, False),
    "shared_queue": (10, 490, False),
    "supply_chain": (10, 90, False),
}
"""Warm-up and horizon of a replication, and whether it ends by itself."""

TRACED = {
    "admission": True,
    "beer_game": False,
    "call_center": False,
    "emergency_department": True,
    "inventory": True,
    "inventory_backorders": True,
    "job_shop": False,
    "nhs_111": False,
    "queueing": True,
    "queueing_failed_server": True,
    "queueing_finite": True,
    "queueing_slow_server": True,
    "queueing_third_server": True,
    "scheduling": True,
    "supply_chain": True,
}
"""Tasks whose event logs are kept, and whether they would go on for ever."""

STOPS = {
    "taught": "training/teacher.json",
    "between_rounds": "training/round-0.json",
    "distilled": "distilled.json",
}
"""How a run may have been stopped: killed as soon as this marker of a finished stage was there."""

TEST_EPISODE = (7, 2, 0)
"""Root seed, test tree, episodes; the number of the episode follows."""

Golden = dict[str, Any]
"""Name of a file -> what is in it."""


def cli(*arguments: str) -> str:
    """Calls the console script in this process; returns what it printed.

    Raises:
        RuntimeError: If it ended with an error.
    """
    (script,) = entry_points(group="console_scripts", name="simdistill")
    main, out, err = script.load(), io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["simdistill", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"simdistill {' '.join(arguments)}: {err.getvalue()}") from None
    finally:
        sys.argv = before
    return out.getvalue()


def command(*arguments: str) -> list[str]:
    """Returns the console script's command line for a process of its own."""
    return [sys.executable, "-m", "simdistill", *arguments]


def environment() -> dict[str, str]:
    """Returns the environment of such a process: no network, and one thread unless others were asked for."""
    return {"OMP_NUM_THREADS": "1", **os.environ, "HF_HUB_OFFLINE": "1"}


def call(work: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Calls the console script in a process of its own and in a folder that holds the student."""
    return subprocess.run(
        command(*arguments), cwd=work, env=environment(), capture_output=True, text=True, check=False
    )


def make_student(folder: Path) -> Path:
    """Writes a tiny random Llama whose every bit is the same on all machines, with the real tokenizer."""
    folder.mkdir(parents=True)
    real = Path(cli("fetch").strip().partition(" is in ")[2])
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(real / name, folder / name)
    vocabulary, hidden, inner, layers, heads, kept = 49152, 64, 128, 2, 4, 2
    shapes = {"model.embed_tokens": (vocabulary, hidden), "model.norm": (hidden,)}
    for layer in range(layers):
        for name, shape in {
            "self_attn.q_proj": (hidden, hidden),
            "self_attn.k_proj": (hidden * kept // heads, hidden),
            "self_attn.v_proj": (hidden * kept // heads, hidden),
            "self_attn.o_proj": (hidden, hidden),
            "mlp.gate_proj": (inner, hidden),
            "mlp.up_proj": (inner, hidden),
            "mlp.down_proj": (hidden, inner),
            "input_layernorm": (hidden,),
            "post_attention_layernorm": (hidden,),
        }.items():
            shapes[f"model.layers.{layer}.{name}"] = shape
    chance = np.random.default_rng(0)
    weights = {
        f"{name}.weight": np.ones(shape, np.float32)
        if len(shape) == 1
        else ((chance.random(shape) - 0.5) * 0.7).astype(np.float32)
        for name, shape in shapes.items()
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kept,
        "head_dim": hidden // heads,
        "hidden_act": "silu",
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
        "dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    return folder


def run_arguments(name: str, output: str) -> list[str]:
    """Returns the arguments of a tiny run."""
    return ["run", *RUNS[name], *SMALL, f"output={output}"]


def run(work: Path, name: str) -> Path:
    """Makes a tiny run in a folder that holds the student; returns the run's folder.

    Raises:
        RuntimeError: If it failed.
    """
    done = call(work, *run_arguments(name, name))
    if done.returncode:
        raise RuntimeError(f"the run {name} failed:\n{done.stdout}\n{done.stderr}")
    return work / name


# What is kept of a run.


def of_run(folder: Path) -> Golden:
    """Reads what is kept of a run's folder."""
    rows = read_questions(folder / "questions.parquet")
    kinds = {kind: [row for row in rows if row["kind"] == kind] for kind in ("decision", "forecast")}
    history = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {
        "config": yaml.safe_load((folder / "config.yaml").read_text()),
        "prompts": [row["prompt"] for kind in kinds.values() for row in [*kind[:3], *kind[-1:]]],
        "questions": [question(row) for row in rows],
        "tune": [question(row) for row in read_questions(validation(folder))],
        "steps": [rounded(row) for row in history if row.get("step", 0) <= STEPS],
        "metrics": rounded(kept_metrics(json.loads((folder / "metrics.json").read_text()))),
        "examination": rounded(examination(folder)),
        "rollouts": rollouts(folder),
    }


def validation(folder: Path) -> Path:
    """Returns the file of a run's validation questions, under its present name or its first one."""
    return next(
        path for path in [*folder.rglob("validation.parquet"), folder / "tune.parquet"] if path.exists()
    )


def read_questions(path: Path) -> list[dict]:
    """Reads a file of questions."""
    return pyarrow.parquet.read_table(path).to_pylist()


def question(row: dict) -> dict:
    """Returns a question with its prompt as a checksum, numbers rounded, and a checksum of exact ones."""
    known = {name: value for name, value in row.items() if value is not None and value != []}
    numbers = {name: rounded(known[name]) for name in (*FITTED, *SIMULATED) if name in known}
    exact = checksum([row[name] for name in SIMULATED])
    return {**known, "prompt": checksum(row["prompt"]), **numbers, "exact": exact}


def kept_metrics(metrics: dict) -> dict:
    """Leaves out what belongs to the machine or the moment."""
    kept = {name: value for name, value in metrics.items() if name not in MEASURED}
    points = [
        {name: value for name, value in point.items() if name != "seconds"}
        for point in metrics["learning"]["points"]
    ]
    return {**kept, "learning": {**metrics["learning"], "points": points}}


def examination(folder: Path) -> dict:
    """Reads what a run's report shows of its only task."""
    document = json.loads((folder / "examination.json").read_text())
    (task,) = document["tasks"]
    return without_task(task)


def without_task(entry: dict) -> dict:
    """Leaves out the name of the task that an entry is about, which files of a single task didn't have."""
    return {name: value for name, value in entry.items() if name != "task"}


def rollouts(folder: Path) -> list[dict]:
    """Reads the simulated replications, rounded where a fitted policy or a student decides."""
    lines = (folder / "rollouts.jsonl").read_text().splitlines()
    rows = [without_task(json.loads(line)) for line in lines]
    return [rounded(row) if row["policy"] in CHOSEN_BY_FIT else plain(row) for row in rows]


# What simulation alone gives.


def simulation() -> Golden:
    """Simulates by every door, with every policy, on fixed seed paths."""
    names = {simulator: internals.policies(simulator) for simulator in SIMULATORS}
    pairs = [(simulator, policy) for simulator in SIMULATORS for policy in names[simulator]]
    return {
        "policies": names,
        "replications": [
            {"simulator": simulator, "policy": policy, **plain(found)}
            for simulator, policy in pairs
            for found in [
                internals.replication(simulator, policy, (*TEST_EPISODE, 0), *SIMULATORS[simulator])
            ]
        ],
        "what_if": [
            {"simulator": simulator, "policy": policy, **plain(found)}
            for simulator, policy in pairs
            for found in [internals.values(simulator, policy, (*TEST_EPISODE, 0), 3, 3, 10)]
        ],
        "draws": draws(),
        "traces": traces(),
        "episodes": [episode(name) for name in environments()],
    }


def draws() -> list[dict]:
    """Draws from keyed streams and generators."""
    entities = [-65, -1, 0, 1, 63, 64, 1000, 10**6]
    keyed = [
        {
            "path": list(path),
            "source": source,
            "visit": visit,
            "entities": entities,
            "numbers": internals.uniforms(path, source, entities, visit),
        }
        for path in ((0,), (0, 0, 0, 1), (*TEST_EPISODE, 3))
        for source, visit in (("arrival", 0), ("service", 0), ("service", 2))
    ]
    generated = [
        {"path": list(path), "generator": internals.generated(path, 5)}
        for path in ((0,), (0, 0, 3, 1), TEST_EPISODE)
    ]
    return [*keyed, *generated]


def traces() -> list[dict]:
    """Writes an event log of every task under its heuristic and under random decisions."""
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for task, endless in TRACED.items():
            for policy in ("heuristic", "random"):
                length = ["task.warm_up=0", "task.horizon=60"] if endless else []
                decider = [] if policy == "heuristic" else ["--policy", policy]
                found.append(trace(Path(scratch) / "log", task, "jsonl", [*length, *decider]))
        for form in ("ocel", "xes"):
            length = ["task.warm_up=0", "task.horizon=20"]
            found.append(trace(Path(scratch) / "log", "queueing", form, length))
    return found


def trace(path: Path, task: str, form: str, arguments: Sequence[str]) -> dict:
    """Writes an event log and returns its checksum, and a few of its lines."""
    said = cli("trace", f"task={task}", *arguments, "--format", form, "-o", str(path))
    lines = path.read_text().splitlines()
    some = [json.loads(lines[place]) for place in (0, len(lines) // 2, -1)] if form == "jsonl" else []
    return {
        "task": task,
        "arguments": list(arguments),
        "format": form,
        "said": said.strip().partition(": ")[2],
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "lines": some,
    }


def environments() -> list[str]:
    """Returns the ids of the package's own Gymnasium environments."""
    import simdistill  # noqa: F401  registers them

    own = {f"simdistill/{''.join(part.capitalize() for part in name.split('_'))}-v0" for name in SIMULATORS}
    return sorted(own & set(gymnasium.registry))


def episode(name: str) -> dict:
    """Plays a Gymnasium environment at random."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of versions that have a newer one
        env, chance = gymnasium.make(name), np.random.default_rng(0)
    observation, info = env.reset(seed=5)
    rewards, elapsed, seen = [], [], [observation.tolist()]
    terminated = truncated = False
    while not (terminated or truncated) and len(rewards) < 40:
        action = int(chance.choice(np.flatnonzero(info["action_mask"])))
        observation, reward, terminated, truncated, info = env.step(action)
        rewards.append(float(reward))
        elapsed.append(float(info["elapsed"]))
        seen.append(observation.tolist())
    env.close()
    return {
        "environment": name,
        "rewards": rewards,
        "elapsed": elapsed,
        "observations": checksum(seen),
        "ended": [terminated, truncated],
        "question": info["question"],
        "choices": info["choices"],
        "state": plain(info["state"]),
    }


# Boards.


def boards() -> Golden:
    """Builds the boards of the two protocols as data."""
    return {name: board(BOARDS / name) for name in ("cpu-v1", "cpu-v2")}


def board(folder: Path) -> dict:
    """Builds a board from its results' files."""
    return rounded(json.loads(cli("leaderboard", str(folder), "--json")), digits=12)


# An old run.


def make_old_run(work: Path, finished: Path, target: Path) -> None:
    """Keeps a finished run's folder, and what differs from it in the folders of runs that were stopped.

    Left out are what the student brings (its tokenizer), checkpoints inside training, and the report.

    Args:
        work: Holds the student.
        finished: The run.
        target: Where it is kept.
    """
    for name in ("finished", *STOPS):
        shutil.rmtree(target / name, ignore_errors=True)
    whole = _kept_files(finished)
    for name, content in whole.items():
        _put(target / "finished" / name, content)
    stopped: dict[str, list[str]] = {"finished": sorted(whole)}
    for stop, marker in STOPS.items():
        folder = _stopped(work, stop, marker)
        files = _kept_files(folder)
        stopped[stop] = sorted(files)
        for name, content in files.items():
            if whole.get(name) != content:
                _put(target / stop / name, content)
    dump(target / "files.json", stopped)


def _stopped(work: Path, stop: str, marker: str) -> Path:
    """Kills a run as soon as a marker is there."""
    folder = work / stop
    with subprocess.Popen(
        command(*run_arguments("queueing", stop)),
        cwd=work,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while not (folder / marker).exists():
            if process.poll() is not None:
                raise RuntimeError(f"the run ended before {marker} was seen")
            time.sleep(0.002)
        process.kill()
    return folder


def _kept_files(folder: Path) -> dict[str, bytes]:
    """Returns a run's files by name, without the machine's folders in them."""
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or name.startswith("training/checkpoints-") or path.name.startswith("."):
            continue
        if name == "report.html" or path.name == "tokenizer.json":
            continue
        content = path.read_bytes()
        if path.name == "adapter_config.json":
            settings = {**json.loads(content), "base_model_name_or_path": "student"}
            content = json.dumps(settings, indent=2).encode()
        if path.name == "teacher.json":
            content = json.dumps(json.loads(content), separators=(",", ":")).encode()
        files[name] = content
    return files


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def unpack_old_run(work: Path, stop: str) -> Path:
    """Puts the old run's folder, as it was when it was stopped, beside the student.

    Args:
        work: Holds the student.
        stop: `finished`, or one of `STOPS`.
    """
    kept, folder = HERE / "old_run", work / f"old-{stop}"
    for name in load(kept / "files.json")[stop]:
        own = kept / stop / name
        _put(folder / name, (own if own.is_file() else kept / "finished" / name).read_bytes())
    for settings in list(folder.rglob("adapter_config.json")):
        shutil.copyfile(work / "student" / "tokenizer.json", settings.with_name("tokenizer.json"))
    return folder


# Files.


def checksum(value: Any) -> str:
    """Returns the beginning of the SHA-256 of plain values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def plain(value: Any) -> Any:
    """Returns values as JSON has them; numbers that aren't finite become text."""
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def rounded(value: Any, digits: int = 6) -> Any:
    """Returns values with so many significant digits."""
    if isinstance(value, dict):
        return {str(name): rounded(item, digits) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, digits) for item in value]
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.{digits}g}")
    return plain(value)


def dump(path: Path, value: Any) -> None:
    """Writes JSON with an entry a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dense = {"ensure_ascii": False, "allow_nan": False, "separators": (",", ":")}
    if isinstance(value, dict):
        lines: Iterable[str] = [
            f"{json.dumps(key)}:{json.dumps(item, **dense)}" for key, item in value.items()
        ]
        opening, closing = "{", "}"
    else:
        lines = [json.dumps(item, **dense) for item in value]
        opening, closing = "[", "]"
    path.write_text(opening + "\n" + ",\n".join(lines) + "\n" + closing + "\n", encoding="utf-8")


def load(path: Path) -> Any:
    """Reads what `dump` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def main(parts: Sequence[str]) -> None:
    """Writes golden files.

    Args:
        parts: Some of runs, simulation, boards and old_run; all but old_run if left out.
    """
    parts = parts or ["runs", "simulation", "boards"]
    written: Golden = {}
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        if {"runs", "old_run"} & set(parts):
            make_student(work / "student")
        if "runs" in parts:
            for name in RUNS:
                written |= {f"{name}/{part}": value for part, value in of_run(run(work, name)).items()}
        if "old_run" in parts:
            finished = work / "queueing"
            make_old_run(work, finished if finished.exists() else run(work, "queueing"), HERE / "old_run")
    if "simulation" in parts:
        written |= {f"simulation/{part}": value for part, value in simulation().items()}
    if "boards" in parts:
        written |= {f"boards/{name}": value for name, value in boards().items()}
    for name, value in written.items():
        dump(HERE / f"{name}.json", value)
        print(f"wrote {name}.json")


if __name__ == "__main__":
    main(sys.argv[1:])
