"""Files of known answers: the packaged ones are well formed, and errors in others have their place."""

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from simdistill.errors import InputError
from simdistill.files import read_json
from simdistill.verification.cases import PACKAGED, packaged, read, schema

SHIPPED = json.loads(files("simdistill.verification").joinpath("known_answers.schema.json").read_text())


def written(folder: Path, cases) -> Path:
    (folder / "mine.json").write_text(json.dumps(cases))
    return folder


def answer(**changes) -> dict:
    return {"measure": "cost", "value": 1, "tolerance": 0, "source": "exact formula", **changes}


def good(**changes) -> dict:
    return {"id": "a", "family": "f", "parameters": {}, "expected": [answer()], **changes}


def test_the_packaged_cases():
    cases = packaged()
    assert len(cases) == 100
    beer_game = next(case for case in cases if case.family == "beer_game")
    assert beer_game.expected[1]["value"] == [46, 50, 54, 54]
    assert (beer_game.folder / "job_shop" / "ft06.txt").is_file()
    newsvendor = next(case for case in cases if case.family == "newsvendor")
    assert newsvendor.run == {} and newsvendor.policy == {"name": "optimal"}


def test_the_shipped_schema_is_what_is_checked():
    assert schema() == SHIPPED


@pytest.mark.parametrize(
    "path", sorted(Path(str(files(PACKAGED))).glob("*.json")), ids=lambda path: path.stem
)
def test_the_packaged_files_fulfil_the_shipped_schema(path):
    jsonschema.Draft202012Validator(SHIPPED).validate(read_json(path))


def test_a_minimal_case(tmp_path):
    (case,) = read(written(tmp_path, [good()]))
    assert (case.id, case.policy, case.conventions, case.run) == ("a", {}, {}, {})


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ([good(id=7)], "mine.json: 7: id = 7: Input should be a valid string"),
        ([{"id": "a"}], "mine.json: a: family"),
        ([good(run={"kind": "daily"})], "a: run.kind = 'daily': Input should be 'steady"),
        ([good(policy={})], "a: policy.name"),
        ([good(expected=[])], "a: expected = []: List should have at least 1 item"),
        ([good(expected=[answer(value="1")])], "a: expected.0.value = '1': Input should be a valid number"),
        ([good(expected=[answer(tolerance=-1)])], "a: expected.0.tolerance = -1"),
        ([good(), good()], "several cases have the id 'a'"),
        ({"a": 1}, "mine.json: a file of known answers must be a list of cases"),
        ([3], "mine.json: case 1: case = 3"),
    ],
)  # fmt: skip
def test_an_error_has_its_file_case_and_field(tmp_path, cases, message):
    with pytest.raises(InputError) as caught:
        read(written(tmp_path, cases))
    assert message in str(caught.value)


def test_a_folder_without_files_and_a_file_that_is_not_json(tmp_path):
    with pytest.raises(InputError, match="the folder has no files of known answers"):
        read(tmp_path)
    (tmp_path / "broken.json").write_text("[{")
    with pytest.raises(InputError, match=r"broken\.json: the file isn't valid JSON"):
        read(tmp_path)
