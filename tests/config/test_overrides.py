"""Overrides: text is taken as it is written, names and numbers may be swept, old names still work."""

import logging
from pathlib import Path

import pytest

from simdistill import config
from simdistill.config import RunConfig, compose
from simdistill.errors import InputError

MINIMAL = """
defaults: [run, _self_]
task:
  name: mine
  simulator: queueing
  heuristic: join_shortest_queue
  language: {description: Send jobs., situation: "{{ jobs }}"}
"""


def one(*overrides: str) -> RunConfig:
    (composed,) = compose(["task=queueing", *overrides])
    return composed


def message(*overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        compose(list(overrides))
    return str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        "/tmp/out=1/x",
        "/tmp/a,b",
        "/tmp/it's",
        '/tmp/"so"/x',
        "/tmp/{a}/[b]/(c)",
        "/tmp/{a",
        "/tmp/a b",
        "/tmp/a: b#c",
        "/tmp/${x}",
        "/tmp/range(3)",
        "/tmp/100%&*!@|>",
        "-",
        "1e5",
        "0,1",
        "/tmp/a\\b",
        "/tmp/ü",
    ],
)
def test_a_path_is_one_path_whatever_characters_it_has(path):
    assert one(f"output={path}").output == Path(path)
    assert one(f"teacher.adapter={path}").teacher.adapter == Path(path)


@pytest.mark.parametrize("path", ["/tmp/it's", "/tmp/a,b", "/tmp/a=b"])
def test_a_path_may_be_quoted(path):
    quoted = path.replace("'", r"\'")
    assert one(f"output='{quoted}'").output == one(f'output="{path}"').output == Path(path)


def test_the_home_folder_is_meant_by_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.yaml").write_text(MINIMAL + "output: ~/runs\nstudent: ~/student\n")
    (run,) = compose(["task=~/mine.yaml"])
    assert (run.output, run.student.name) == (tmp_path / "runs", str(tmp_path / "student"))
    run = one("output=~/runs", "teacher.adapter=~/a", "teacher.model=~/m", "student=~/s")
    assert (run.output, run.teacher.adapter) == (tmp_path / "runs", tmp_path / "a")
    assert (run.teacher.model, run.student.name) == (str(tmp_path / "m"), str(tmp_path / "s"))
    told = "output: ~nobody-of-this-name/x begins with ~, but there is no such home folder"
    assert told in message("task=queueing", "output=~nobody-of-this-name/x")
    assert "no such home folder" in message("task=~nobody-of-this-name/x.yaml")


def test_an_address_may_have_a_query():
    address = "http://h:8000/v1?a=b&c=[d,e]"
    run = one("teacher=endpoint", "teacher.model=m", f"teacher.base_url={address}")
    assert run.teacher.model_dump()["base_url"] == address


def test_text_may_have_commas_and_looks_of_other_values():
    for text in ("Send jobs, quickly.", "[not a list]", "5", "true", "a: b", "{{ jobs }}", "${{ price }}"):
        assert one(f"task.language.description={text}").task.language.description == text


def test_empty_text_and_null_leave_an_optional_field_out():
    run = one("output=", "teacher.model=null", "task.reference=null", "task.description=")
    assert (run.output, run.teacher.model, run.task.reference) == (None, None, None)
    assert run.task.description == ""


def test_names_are_swept_and_a_file_with_a_comma_is_one(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a,b.yaml").write_text(MINIMAL)
    (tmp_path / "c,d").mkdir()
    (run,) = compose(["task=a,b.yaml", "student=c,d"])
    assert (run.task.name, run.student.name) == ("mine", "c,d")
    assert [run.task.name for run in compose(["task='a,b.yaml',queueing"])] == ["mine", "queueing"]
    assert [run.task.name for run in compose(["task=queueing,admission"])] == ["queueing", "admission"]
    swept = compose(["task=queueing", "student=a/b, c/d", "teacher.base=random,join_shortest_queue"])
    assert [(run.student.name, run.teacher.base) for run in swept] == [
        ("a/b", "random"),
        ("a/b", "join_shortest_queue"),
        ("c/d", "random"),
        ("c/d", "join_shortest_queue"),
    ]


def test_any_field_is_swept_by_choice():
    swept = compose(["task=queueing", "output=choice(a,'b,c')", "seed=choice(1,2)"])
    assert [(str(run.output), run.seed) for run in swept] == [("a", 1), ("a", 2), ("b,c", 1), ("b,c", 2)]


@pytest.mark.parametrize(
    ("given", "seeds"),
    [
        ("0,1, 2", [0, 1, 2]),
        ("range(3)", [0, 1, 2]),
        ("range(1,4)", [1, 2, 3]),
        ("range(1, 8, 3)", [1, 4, 7]),
        ("range(2,0,-1)", [2, 1]),
    ],
)
def test_numbers_are_swept(given, seeds):
    assert [run.seed for run in compose(["task=queueing", f"seed={given}"])] == seeds


def test_lists_and_groups_are_swept_as_wholes():
    swept = compose(["task=queueing", "student.lora.targets=[q_proj,v_proj],all-linear"])
    assert [run.student.lora.targets for run in swept] == [["q_proj", "v_proj"], "all-linear"]
    swept = compose(["task=queueing", "student.lora={r: 4, alpha: 8},{r:2}"])
    assert [(run.student.lora.r, run.student.lora.alpha) for run in swept] == [(4, 8.0), (2, 32.0)]


def test_a_later_sweep_or_value_replaces_an_earlier_one():
    assert [run.seed for run in compose(["task=queueing", "seed=0,1", "seed=5"])] == [5]
    assert one("student.lora.r=4", "student.lora={r: 8}").student.lora.r == 8
    assert one("student.lora={r: 8}", "student.lora.r=4").student.lora.r == 4


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("seed=range(a)", "write range(stop), range(start,stop) or range(start,stop,step)"),
        ("seed=range(0)", "the range is empty"),
        ("seed=range(0,9,0)", "the range is empty"),
        ("seed=010", "seed: '010' should be a valid integer"),
        ("seed=1:30", "seed: '1:30' should be a valid integer"),
        ("seed=@x", "seed: '@x' should be a valid integer"),
        ("seed='1", 'seed: "\'1" should be a valid integer'),
        ("seed=", "seed: None should be a valid integer"),
        ("student.lora={r: 8", "student.lora={r: 8: {r: 8 isn't closed; write a list as [a, b]"),
        ("task.parameters.train.values.service_rates.7.low=1", "there is no such field in"),
        ("seed=${nothing}", "queueing.yaml: seed: Interpolation key 'nothing' not found; for the characters"),
        ("output=" + 300 * "x", "has a part of more than 255 bytes; shorten it"),
        ("student=" + 300 * "x", f"student.name: no student '{300 * 'x'}'"),
        ("task=" + 300 * "x", f"no task '{300 * 'x'}'; available: "),
        ("task=" + 300 * "x" + ".yaml", "has a part of more than 255 bytes; shorten it"),
    ],
)
def test_what_a_wrong_value_gets(override, told):
    assert told in message("task=queueing", override)


def test_an_entry_of_a_list_is_overridden_by_its_place():
    run = one("task.parameters.train.values.service_rates.1.low=0.4")
    assert run.model_dump()["task"]["parameters"]["train"]["values"]["service_rates"][1]["low"] == 0.4


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        ("teacher.denoise", "teacher.combine_with_fit", False),
        ("teacher.moderate", "teacher.shrink_variances", False),
        ("distill.tune_questions", "distill.validation_questions", 7),
        ("distill.tune_steps", "distill.validation_steps", 7),
    ],
)
def test_the_old_name_of_a_field_still_works(old, new, value, caplog, monkeypatch, tmp_path):
    section, _, name = new.partition(".")
    text = str(value).lower()
    told = f"{old} is now called {new}; the old name still works"
    for override in (f"{old}={text}", f"{section}={{{old.partition('.')[2]}: {text}}}"):
        assert getattr(getattr(one(override), section), name) == value
    assert caplog.messages == [told, told]
    caplog.clear()

    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(MINIMAL + f"{section}: {{{old.partition('.')[2]}: {text}}}\n")
    (run,) = compose(["task=mine"])
    assert getattr(getattr(run, section), name) == value
    assert caplog.messages == [f"{tmp_path / 'mine.yaml'}: {told}"]
    assert all(record.levelno == logging.WARNING for record in caplog.records)
    other = 9 if value == 7 else True
    (run,) = compose(["task=mine", f"{new}={str(other).lower()}"])
    assert getattr(getattr(run, section), name) == other

    caplog.clear()
    config.save(run, tmp_path / "config.yaml")
    written = (tmp_path / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(written.replace(f" {name}:", f" {old.partition('.')[2]}:"))
    assert config.load_config(tmp_path / "config.yaml") == run
    assert compose(["task=mine", f"{old}={text}"], saved=True) and not caplog.messages


def test_no_task_of_the_package_has_an_old_name(caplog):
    compose(["task=" + ",".join(config.tasks())])
    assert not caplog.messages


def test_defaults_are_merged_in_their_order_and_may_not_go_in_circles(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first.yaml").write_text(MINIMAL + "seed: 1\nthreads: 1\n")
    (tmp_path / "after.yaml").write_text("defaults: [first, _self_]\nseed: 2\n")
    (tmp_path / "before.yaml").write_text("defaults: [_self_, first]\nseed: 2\n")
    (tmp_path / "silent.yaml").write_text("defaults: [first]\nseed: 2\n")
    seeds = [compose([f"task={task}"])[0].seed for task in ("after", "before", "silent")]
    assert seeds == [2, 1, 2] and compose(["task=after"])[0].threads == 1
    (tmp_path / "first.yaml").write_text("defaults: [after]\n")
    assert "its defaults lead back to the file itself" in message("task=after")
    (tmp_path / "first.yaml").write_text("defaults: after\n")
    assert "defaults must be a list of names, as in [run, _self_]; it is 'after'" in message("task=first")
    (tmp_path / "first.yaml").write_text("defaults: [aftr]\n")
    assert message("task=first").startswith(f"{tmp_path / 'first.yaml'}: defaults: no task 'aftr'")


def test_a_file_may_interpolate_its_fields(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(MINIMAL + "seed: 4\nthreads: ${seed}\n")
    assert compose(["task=mine"])[0].threads == 4
    (tmp_path / "mine.yaml").write_text(MINIMAL + "output: ${{ price }}\n")
    assert "mine.yaml: can't be read as YAML: output: token recognition error" in message("task=mine")
    (tmp_path / "mine.yaml").write_text(MINIMAL + "output: \\${{ price }}\n")
    assert str(compose(["task=mine"])[0].output) == "${{ price }}"
