"""A run's configuration: composed, bounded, explained, and the same after a round trip through YAML."""

import sys
import textwrap
import types
from functools import cache
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from simdistill import config, registry
from simdistill.config import DistillConfig, MethodConfig, Range, RunConfig, compose
from simdistill.errors import InputError
from simdistill.training.sampling import SamplingConfig

MINIMAL = """
defaults: [run, _self_]
task:
  name: mine
  description: My own task.
  simulator: queueing
  heuristic: join_shortest_queue
  language: {description: Send jobs., situation: "{{ jobs }}"}
distill: {batch_size: 8}
"""


def one(*overrides: str) -> RunConfig:
    (composed,) = compose(["task=queueing", *overrides])
    return composed


@cache
def a_run() -> RunConfig:
    return one("output=somewhere")


def message(*overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        compose(list(overrides))
    return str(caught.value)


@pytest.fixture
def user_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_built_in_task_has_the_headline_parameters():
    task = one().task
    assert task.parameters.default == {"arrival_rate": 2.0, "service_rates": [2.0, 0.5]}
    assert task.kind == "steady_state" and task.heuristic == "shortest_expected_delay"


def test_overrides_set_fields_of_every_depth():
    composed = one(
        "student.lora.r=8", "seed=3", "task.parameters.train.values.arrival_rate.low=1.5", "output=a b"
    )
    train = composed.task.parameters.train.values["arrival_rate"]
    assert isinstance(train, Range)
    assert (composed.student.lora.r, composed.seed, train.low, composed.output) == (8, 3, 1.5, Path("a b"))


def test_teacher_and_student_may_be_given_by_name():
    short = one("teacher=join_shortest_queue", "student=smollm2-135m", "student.lora.r=8")
    assert short == one("teacher.name=join_shortest_queue", "student.name=smollm2-135m", "student.lora.r=8")
    assert [run.teacher.name for run in compose(["task=queueing", "teacher=search,random"])] == [
        "search",
        "random",
    ]
    assert one("teacher={futures: 5}").teacher.futures == 5


def test_nothing_is_compared_with_an_endpoint_everywhere():
    endpoint = "teacher={name: endpoint, model: m, base_url: 'http://h'}"
    assert "task.reference: teacher=endpoint is examined with the default parameters only" in message(
        "task=queueing", endpoint, "task.reference=teacher"
    )


def test_lists_and_null_are_values():
    composed = one("student.lora.targets=[q_proj,v_proj]", "workers=null", "threads=2")
    assert composed.student.lora.targets == ["q_proj", "v_proj"]
    assert (composed.workers, composed.threads) == (None, 2)


def test_sweeps_give_one_run_for_each_combination():
    runs = compose(["task=queueing", "seed=0,1,2", "student.lora.r=choice(4,8)"])
    assert [(run.seed, run.student.lora.r) for run in runs] == [
        (0, 4),
        (0, 8),
        (1, 4),
        (1, 8),
        (2, 4),
        (2, 8),
    ]
    assert [run.seed for run in compose(["task=queueing", "seed=range(0,3)"])] == [0, 1, 2]


def test_the_last_of_equal_overrides_holds():
    assert one("seed=1", "seed=2").seed == 2


def test_runs_of_a_sweep_cannot_share_a_folder():
    assert "2 runs can't share a folder" in message("task=queueing", "seed=0,1", "output=here")


def test_a_sweep_over_folders_is_possible():
    assert [run.output for run in compose(["task=queueing", "output=choice(a,b)"])] == [Path("a"), Path("b")]


def test_the_file_goes_before_the_defaults_and_overrides_before_the_file(user_folder):
    (user_folder / "mine.yaml").write_text(MINIMAL)
    assert compose(["task=mine"])[0].distill.batch_size == 8
    assert compose(["task=mine"])[0].distill.learning_rate == DistillConfig().learning_rate
    assert compose(["task=mine", "distill.batch_size=4"])[0].distill.batch_size == 4


@pytest.mark.parametrize("place", ["mine.yaml", "tasks/mine.yaml", "it's a folder/mine.yaml"])
def test_the_users_own_tasks(user_folder, place):
    path = user_folder / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(MINIMAL)
    assert compose([f'task="{place}"' if "folder" in place else "task=mine"])[0].task.name == "mine"


def test_a_task_may_stand_on_another(user_folder):
    (user_folder / "busy.yaml").write_text("defaults: [queueing, _self_]\ntask: {name: busy, horizon: 5}\n")
    task = compose(["task=busy"])[0].task
    assert (task.name, task.horizon, task.simulator) == ("busy", 5, "queueing")


def test_the_users_task_goes_before_the_built_in_one(user_folder):
    (user_folder / "tasks").mkdir()
    (user_folder / "tasks" / "queueing.yaml").write_text(MINIMAL)
    assert compose(["task=queueing"])[0].task.name == "mine"


def test_tasks_are_listed_with_their_line_and_other_yaml_is_not(user_folder):
    (user_folder / "mine.yaml").write_text(MINIMAL)
    (user_folder / "compose.yaml").write_text("services: {}\n")
    (user_folder / "broken.yaml").write_text("a: [\n")
    tasks = config.tasks()
    assert {"mine", "queueing"} <= tasks.keys()
    assert not {"compose", "broken"} & tasks.keys()
    assert config.describe_task(tasks["mine"]) == "My own task."


def test_an_unknown_task_gets_what_is_available_and_what_was_meant():
    available = ", ".join(config.tasks())
    assert message("task=quueing") == f"no task 'quueing'; available: {available}; did you mean 'queueing'?"
    assert message("task=nowhere/x.yaml").startswith("task=nowhere/x.yaml: there is no file ")
    assert f"add task=NAME; available: {available}" in message("seed=1")
    assert f"add task=NAME; available: {available}" in message("task=")


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("distill.batch_size=0", "distill.batch_size: 0 should be greater than or equal to 1"),
        ("distill.soft=1.5", "distill.soft: 1.5 should be less than or equal to 1"),
        ("seed=x", "seed: 'x' should be a valid integer"),
        ("seed=true", "seed: True should be a valid integer"),
        ("student.lora.r=8.5", "student.lora.r: 8.5 should be a valid integer"),
        ("distill.temperature=nan", "distill.temperature: nan should be a finite number"),
        ("student.dtype=int8", "student.dtype: 'int8' should be 'auto', 'float32' or 'bfloat16'"),
        ("student.lora=4", "student.lora: 4 isn't a group of fields; set one of student.lora.r, "),
        ("task.parameters.train.values.arrival_rate.low=9", "values.arrival_rate: low 9 is above high 2.4"),
        ("student.lora.rank=4", "no field 'student.lora.rank'; available: r, alpha, targets, layers"),
        ("student.lora.alhpa=4", "did you mean 'student.lora.alpha'?"),
        ("task.parameters.train.values.arrival_rate.lo=1", "task.parameters.train.values.arrival_rate.low'?"),
        ("distil.soft=1", "did you mean 'distill.soft'?"),
        ("learning_rate=1", "did you mean 'distill.learning_rate'?"),
        ("task.heuristic=shortest_delay", "task.heuristic: no policy 'shortest_delay'; available: random, "),
        ("teacher.base=jsq", "teacher.base: no policy 'jsq'"),
        ("teacher.name=serch", "teacher.name: no teacher 'serch'; available: "),
        ("teacher=serch", "teacher.name: no teacher 'serch'"),
        ("student=gpt", "student.name: no student 'gpt'"),
        ("teacher=hf", "teacher: name=hf is a language model; say which one with teacher.model"),
        ("teacher={name: hf, model: gpt}", "teacher.model: no student 'gpt'"),
        ("teacher={name: endpoint, model: m}", "name=endpoint needs the server's address"),
        (
            "teacher={name: endpoint, model: m, base_url: 'http://h', adapter: a}",
            "adapter=a can't be sent to a server",
        ),
        ("method=sft2", "method: no method 'sft2'"),
        ("student.name=gpt", "student.name: no student 'gpt'"),
        ("compute=proceses", "compute: no executor 'proceses'; available: processes, serial; did you mean"),
        ("evaluation.metrics=[regret_per_decison]", "did you mean 'regret_per_decision'?"),
        ("distill.kinds={forcast: 3}", "distill.kinds: no kind of question 'forcast'; available: decision"),
        ("task.simulator=queing", "no simulator 'queing'"),
        ("task.simulator=collections:OrderedDict", "collections:OrderedDict isn't a process model"),
        ("task.parameters.default.arrival_rate=-1", "default.arrival_rate: -1 should be greater than 0"),
        ("task.parameters.default.arival_rate=1", "did you mean 'task.parameters.default.arrival_rate'?"),
        ("seed=[", "seed=[: [ isn't closed; write a list as [a, b]"),
        ("seed", "seed: write field=value, as in seed=1"),
        ("+new=1", "+new=1: write field=value, without + or ~"),
        ("~seed", "~seed: write field=value, without + or ~"),
        ("hydra.run.dir=x", "no field 'hydra.run.dir'"),
        ("seed=interval(0,1)", "sweep over values"),
        ("seed=${nothing}", "nothing"),
    ],
)  # fmt: skip
def test_what_a_wrong_override_gets(override, told):
    assert told in message("task=queueing", override)


def test_every_error_has_its_line():
    lines = message("task=queueing", "seed=-1", "distill.soft=x", "student.lora.q=1").splitlines()
    assert lines[0] == "task=queueing:"
    assert len(lines) == 4 and all(line.startswith("  ") for line in lines[1:])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "can't be read as YAML"),
        ("- a", "must be a mapping of fields"),
        ("task: {}", "task.name: must be given"),
        (MINIMAL + "extra: 1", "no field 'extra'"),
    ],
)
def test_what_a_wrong_file_gets(tmp_path, text, told):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=told):
        config.load_config(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml: can't be read"):
        config.load_config(tmp_path / "none.yaml")


def test_what_a_wrong_task_file_gets(user_folder):
    (user_folder / "mine.yaml").write_text(MINIMAL.replace("batch_size", "batch_sise"))
    assert "did you mean 'distill.batch_size'?" in message("task=mine")
    (user_folder / "mine.yaml").write_text(MINIMAL.replace("[run, _self_]", "[ran, _self_]"))
    assert "ran" in message("task=mine")
    (user_folder / "mine.yaml").write_text("a: [")
    assert "mine.yaml" in message("task=mine")


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**62),
    rate=st.floats(1e-300, 1, exclude_min=True),
    layers=st.none() | st.integers(1, 99),
    text=st.text(),
)
@example(seed=0, rate=1.0, layers=None, text="a\x85b")
def test_yaml_round_trip(tmp_path_factory, seed, rate, layers, text):
    values = a_run().model_dump()
    values["seed"], values["distill"]["learning_rate"], values["student"]["lora"]["layers"] = (
        seed,
        rate,
        layers,
    )
    values["task"]["language"]["situation"] = text
    original = RunConfig.model_validate(values)
    path = tmp_path_factory.mktemp("round") / "config.yaml"
    config.save(original, path)
    assert config.load_config(path) == original


def test_saved_files_are_plain_yaml(tmp_path):
    config.save(a_run(), tmp_path / "config.yaml")
    values = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert values["output"] == "somewhere" and values["seed"] == 0
    assert next(iter(values)) == "task"


def test_every_field_is_described():
    def undescribed(model, prefix=""):
        for name, field in model.model_fields.items():
            nested = field.annotation
            if isinstance(nested, type) and issubclass(nested, BaseModel):
                assert nested.__doc__
                yield from undescribed(nested, f"{prefix}{name}.")
            elif not field.description:
                yield prefix + name

    assert list(undescribed(RunConfig)) == []


def test_a_configuration_does_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        a_run().seed = 1


def test_log_spacing_begins_at_zero():
    assert Range(low=0, high=40, spacing="log").low == 0
    with pytest.raises(ValidationError, match="below 0"):
        Range(low=-1, high=40, spacing="log")


def test_names_of_a_registered_simulator_are_checked(tmp_path, monkeypatch, own_registry):
    (tmp_path / "one_policy.py").write_text(
        textwrap.dedent("""
        from simdistill.simulation import ProcessModel
        class Clinic(ProcessModel):
            policies = {"first": lambda state, choices: choices[0]}
        """)
    )
    monkeypatch.syspath_prepend(tmp_path)
    registry.register("clinic", "one_policy:Clinic")
    lacking = ["task.simulator=clinic", "task.policies=[first]", "teacher.base=random"]
    assert "available: random, first" in message("task=queueing", *lacking)


def test_a_run_from_before_there_was_a_field_keeps_what_it_did(tmp_path):
    path = tmp_path / "config.yaml"
    config.save(one("method=sft_grpo"), path)
    now = config.load_config(path)
    assert now.distill.balanced and isinstance(now.method, SamplingConfig) and not now.method.again
    values = config.read_yaml(path)
    sampling = {field: value for field, value in values["method"].items() if field not in ("name", "again")}
    values |= {"method": "sft_grpo", "distill": values["distill"] | {"grpo": sampling, "opd": {"prompts": 3}}}
    del values["distill"]["balanced"], values["distill"]["validity"], values["compute"]
    path.write_text(yaml.safe_dump(values))
    then = config.load_config(path)
    assert isinstance(then.method, SamplingConfig) and then.method.again and then.method.prompts == 8
    assert not then.distill.balanced and then.teacher.shrink_variances
    assert then.distill.validity == DistillConfig.model_fields["validity"].default


class Theirs:
    """A method of another package."""

    class Config(MethodConfig):
        """Its fields."""

        alpha: float = Field(default=0.5, ge=0, le=1, description="share")
        note: str = Field(default="", description="any text")


@pytest.fixture
def theirs(monkeypatch, own_registry):
    monkeypatch.setitem(sys.modules, "theirs", types.SimpleNamespace(Theirs=Theirs))
    registry.register("theirs", "theirs:Theirs", "methods")


def test_a_method_of_another_package_has_its_own_fields(theirs, tmp_path):
    run = one("method=theirs", "method.alpha=0.3", "method.note=a, b")
    assert isinstance(run.method, Theirs.Config) and (run.method.alpha, run.method.note) == (0.3, "a, b")
    config.save(run, tmp_path / "config.yaml")
    assert config.load_config(tmp_path / "config.yaml") == run
    assert [each.method.name for each in compose(["task=queueing", "method=theirs,sft"])] == ["theirs", "sft"]
    assert one("method={name: theirs, alpha: 1}").method.model_dump() == {
        "name": "theirs",
        "alpha": 1.0,
        "note": "",
    }


def test_fields_of_a_method_are_checked_and_explained(theirs):
    def told(*overrides: str) -> str:
        return message("task=queueing", *overrides)

    assert "method.alpha: 2 should be less than or equal to 1" in told("method=theirs", "method.alpha=2")
    assert "did you mean 'method.alpha'?" in told("method=theirs", "method.alhpa=1")
    assert told("method=thiers", "method.alpha=1").endswith("did you mean 'theirs'?")
    assert told("method=thiers", "method.beta=1").endswith("did you mean 'theirs'?")
    assert told("method=sft", "method.alpha=1") == (
        "method.alpha is a field of method=theirs, and method=sft hasn't got it; "
        "leave it out, or choose method=theirs"
    )


def test_a_run_whose_method_is_not_installed_is_explained(theirs, tmp_path):
    config.save(one("method=theirs"), tmp_path / "config.yaml")
    with (
        registry.registering(),
        pytest.raises(InputError, match=r"config.yaml: method.name: no method 'theirs'; available: chord, "),
    ):
        config.load_config(tmp_path / "config.yaml")


def test_a_tasks_file_may_set_fields_of_several_methods(theirs, user_folder):
    (user_folder / "mine.yaml").write_text(MINIMAL + "method: {name: theirs, alpha: 0.1, samples: 3}\n")
    (run,) = compose(["task=mine"])
    assert run.method == Theirs.Config(name="theirs", alpha=0.1)
    (run,) = compose(["task=mine", "method=grpo"])
    assert isinstance(run.method, SamplingConfig) and run.method.samples == 3
    (run,) = compose(["task=mine", "method=sft"])
    assert run.method == MethodConfig(name="sft")
    (user_folder / "mine.yaml").write_text(MINIMAL + "method: theirs\n")
    assert compose(["task=mine", "method.alpha=0.2"])[0].method == Theirs.Config(name="theirs", alpha=0.2)


def test_the_old_spelling_of_methods_own_fields_still_works(caplog):
    run = one("method=grpo", "distill.grpo.samples=4", "distill.opd.prompts=2")
    assert isinstance(run.method, SamplingConfig) and (run.method.samples, run.method.prompts) == (4, 8)
    assert caplog.messages == ["distill.grpo.samples is now called method.samples; the old name still works"]
    caplog.clear()
    assert one("method=sft", "distill.grpo.samples=4").method == MethodConfig(name="sft")
    other = one("method=opd", "teacher.model=a/b", "distill.grpo.prompts=4")
    assert other.method.model_dump()["prompts"] == 16
    assert not caplog.messages
    wrong = message("task=queueing", "method=grpo", "distill.grpo.sampels=4")
    assert "did you mean 'method.samples'?" in wrong
