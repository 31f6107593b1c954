"""A run that goes on: the fields that may differ from those it began with, and how others are refused."""

from pathlib import Path

import pytest
import yaml
from rich.console import Console

from simdistill.config import changed, compose, load_config
from simdistill.errors import InputError
from simdistill.files import write_json
from simdistill.runs import pipeline
from simdistill.runs.record import Record
from simdistill.runs.resuming import settle


@pytest.fixture
def begun(tmp_path) -> Path:
    return Record.new(compose(["task=queueing", f"output={tmp_path / 'run'}", "workers=1"])[0]).folder


def edit(folder: Path, change) -> None:
    """Edits a run's config.yaml by hand."""
    values = yaml.safe_load((folder / "config.yaml").read_text())
    change(values)
    (folder / "config.yaml").write_text(yaml.safe_dump(values))


def examined(folder: Path) -> None:
    write_json(folder / "metrics.json", {"layout": 3})


def test_fields_that_change_no_result_are_taken_and_saved(begun):
    settle(begun, ["threads=3", "workers=2", "compute=serial", "check=false", "evaluation.replications=7"])
    for path in (begun / "config.yaml", begun / "training" / "config.yaml"):
        config = load_config(path)
        assert (config.threads, config.workers, config.compute.name, config.check) == (3, 2, "serial", False)
        assert config.evaluation.replications == 7
    settle(begun)


def test_other_fields_are_refused_by_name_with_both_values(begun):
    before = (begun / "config.yaml").read_bytes()
    with pytest.raises(InputError) as refused:
        settle(begun, ["threads=3", "seed=4", "distill.questions=100"])
    said = str(refused.value)
    assert "\n  seed is 0 in the run and 4 as given\n" in said
    assert "\n  distill.questions is " in said and "and 100 as given\n" in said
    assert "threads is" not in said and "Either leave them out, or begin a new run: simdistill run" in said
    assert "takes other values of check, compute, threads, workers, evaluation." in said
    assert (begun / "config.yaml").read_bytes() == before


def test_the_values_of_the_run_itself_may_be_given(begun):
    before = (begun / "config.yaml").read_bytes()
    settle(begun, ["seed=0", "workers=1", "task=queueing"])
    assert (begun / "config.yaml").read_bytes() == before


def test_an_examination_has_its_settings_until_it_is_made_again(begun):
    examined(begun)
    with pytest.raises(InputError) as refused:
        settle(begun, ["evaluation.replications=7"])
    assert "evaluation.replications is" in str(refused.value)
    assert f"then simdistill evaluate {begun}" in str(refused.value)
    assert "takes other values of check, compute, threads, workers." in str(refused.value)
    settle(begun, ["threads=2"])
    edit(begun, lambda values: values["evaluation"].update(replications=7))
    with pytest.raises(InputError, match=r"replications is \d+ in the run and 7 in config.yaml"):
        settle(begun)
    settle(begun, again=True)
    settle(begun)


def test_a_configuration_edited_by_hand_is_refused_with_the_fields(begun):
    edit(begun, lambda values: values.update(seed=5, threads=2))
    with pytest.raises(InputError) as refused:
        settle(begun, ["workers=3"])
    assert "\n  seed is 0 in the run and 5 in config.yaml\n" in str(refused.value)
    assert "set them back in" in str(refused.value) and "threads is" not in str(refused.value)
    edit(begun, lambda values: values.update(seed=0))
    settle(begun)
    assert load_config(begun / "training" / "config.yaml").threads == 2


def test_a_resumed_run_looks_for_edits_before_anything_else(begun, monkeypatch):
    monkeypatch.setattr(pipeline, "_go", lambda *args, **more: pytest.fail("it went on"))
    edit(begun, lambda values: values["distill"].update(questions=100))
    for go_on in (pipeline.resume, pipeline.evaluate):
        with pytest.raises(InputError, match=r"distill\.questions is \d+ in the run and 100"):
            go_on(begun, Console(quiet=True))


def test_a_folder_without_a_copy_goes_on_as_it_is(begun):
    (begun / "training" / "config.yaml").unlink()
    edit(begun, lambda values: values.update(seed=5))
    settle(begun)
    settle(begun, ["threads=2"])
    assert load_config(begun / "config.yaml").threads == 2
    assert not (begun / "training" / "config.yaml").exists()
    with pytest.raises(InputError, match="seed is 5 in the run and 6 as given"):
        settle(begun, ["seed=6"])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("threads=0", "threads: 0 should be greater than or equal to 1"),
        ("threads=1,2", "is one run; give one value for each field"),
        ("thread=1", "did you mean 'threads'?"),
        ("evaluation.replication=3", "replication"),
        ("compute=clouds", "clouds"),
        ("task=inventory", "is a run of task queueing, not inventory"),
        ("threads", "write field=value"),
    ],
)
def test_what_is_no_value_of_a_field_is_refused(begun, given, told):
    with pytest.raises(InputError) as refused:
        settle(begun, [given])
    assert told in str(refused.value)


def test_text_with_a_dollar_sign_stays_as_it_was_saved():
    config = compose(["task=queueing", "task.description=costs ${5}", "seed=1"])[0]
    assert config.task.description == "costs ${5}"
    assert changed(config, ["threads=2"], "run").task.description == "costs ${5}"
