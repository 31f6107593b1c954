"""Language models as teachers: a tiny one on this machine, and runs with one from start to report."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from simdistill.config import MethodConfig, compose
from simdistill.data import store as questions
from simdistill.data.answers import parse
from simdistill.envs.prompts import Prompter
from simdistill.errors import InputError
from simdistill.files import read_json
from simdistill.models.choice_model import Posed
from simdistill.models.lora import Lora
from simdistill.models.pretrained import base_model, load_model, load_tokenizer
from simdistill.models.student import Student
from simdistill.results import Results
from simdistill.runs import pipeline
from simdistill.runs.layout import Layout
from simdistill.teachers.language_models import base as module
from simdistill.teachers.language_models.compatibility import check_apart, check_same_words
from simdistill.teachers.language_models.local import LocalTeacher
from simdistill.training.callbacks import Watch
from simdistill.training.methods.kd import KD

SMALL = [
    "task=queueing",
    "teacher=hf",
    "teacher.scenarios=8",
    "teacher.futures=4",
    "task.horizon=100",
    "task.warm_up=20",
    "method=kd",
    "distill.questions=16",
    "distill.rounds=0",
    "distill.round_questions=16",
    "distill.round_states_per_episode=2",
    "distill.validation_questions=8",
    "distill.batch_size=8",
    "student.lora.r=2",
    "student.lora.layers=2",
    "student.dtype=float32",
    "evaluation.parameter_sets=1",
    "evaluation.replications=2",
    "evaluation.tabulated_mass=0.5",
    "evaluation.questions_shown=2",
    "workers=1",
    "threads=1",
]


@pytest.fixture(autouse=True)
def own_cache(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMDISTILL_CACHE", str(tmp_path / "cache"))


class Stop(Exception):
    """Something kills the run."""


@pytest.fixture(scope="session")
def letters_folder(tiny_folder, tmp_path_factory) -> Path:
    """The tiny model with another head: mostly it says A or B, and then nothing else."""
    base = base_model(tiny_folder)
    model, tokenizer = load_model(base), load_tokenizer(base)
    model.lm_head.weight = torch.nn.Parameter(0.1 * model.lm_head.weight.detach())
    model.config.tie_word_embeddings = False
    for layer in model.model.layers:  # what is said depends but little on what was asked
        layer.self_attn.o_proj.weight.data *= 0.1

    def state(answer: str) -> torch.Tensor:
        """What is usual where an answer has got so far."""
        prompts = [
            tokenizer.apply_chat_template(q.prompt, tokenize=False, add_generation_prompt=True)
            for q in posed(20)
        ]
        ids = [tokenizer(f"{prompt}{answer}", return_tensors="pt")["input_ids"] for prompt in prompts]
        return torch.stack([model.base_model(prompt)[0][0, -1] for prompt in ids]).mean(0)

    with torch.no_grad():
        for token, answers in (("A", [""]), ("B", [""]), (str(tokenizer.eos_token), ["A", "B"])):
            row = model.lm_head.weight[tokenizer.convert_tokens_to_ids(token)]
            row += sum(state(answer) for answer in answers)
    folder = tmp_path_factory.mktemp("students") / "letters"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def adapter(letters_folder, tmp_path_factory) -> Path:
    """An adapter of that model that changes what it says."""
    student = Student.for_training(letters_folder, Lora(2), 0, dtype=torch.float32)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weights in student.model.named_parameters():
            if "lora_B" in name:
                weights.normal_(std=0.02)
    folder = tmp_path_factory.mktemp("adapters") / "teacher"
    student.save_adapter(folder, "# Card")
    return folder


def local(folder: Path, adapter: Path | None = None) -> LocalTeacher:
    return LocalTeacher(LocalTeacher.Config(name="hf", model=str(folder), adapter=adapter), 0)


def posed(count: int) -> list[Posed]:
    return [
        Posed([{"role": "user", "content": f"Jobs A {n}, B {n % 7}."}], ["A", "B", "C"][: 2 + n % 2])
        for n in range(count)
    ]


def small(tiny_folder: Path, teacher: Path, output: Path, *overrides: str):
    fields = [f"student={tiny_folder}", f"teacher.model={teacher}", f"output={output}"]
    return compose([*SMALL, *fields, *overrides])[0]


def test_it_is_asked_as_the_student_is(tiny_folder):
    asked = posed(70)
    answers = Student.load(tiny_folder).score(asked)
    for answer, said in zip(answers, local(tiny_folder).answers(asked), strict=True):
        assert said.choice == answer.choice
        assert said.valid == (answer.greedy is not None)
        assert np.allclose(said.probabilities_C or (), answer.probabilities_C, atol=1e-6)


def test_an_adapter_changes_what_it_says(letters_folder, adapter):
    plain, adapted = local(letters_folder).answers(posed(8)), local(letters_folder, adapter).answers(posed(8))
    assert [said.probabilities_C for said in plain] != [said.probabilities_C for said in adapted]


def test_remembered_answers_are_the_same_to_the_last_bit(tiny_folder, monkeypatch):
    first = local(tiny_folder).answers(posed(70))
    monkeypatch.setattr(Student, "score", lambda *a: pytest.fail("asked again"))
    assert local(tiny_folder).answers(posed(70)) == first


def changed(name: str, folder: Path, adapter: Path, copy: Path) -> LocalTeacher:
    """A teacher with one part of it changed."""
    if name == "adapter":
        return local(folder, adapter)
    base = base_model(folder)
    model, tokenizer = load_model(base), load_tokenizer(base)
    if name == "weights":
        next(model.parameters()).data[5] += 1
    elif name == "template":
        tokenizer.chat_template = str(tokenizer.chat_template).replace("system", "System")
    else:
        tokenizer.add_tokens(["queueing"])
    model.save_pretrained(copy)
    tokenizer.save_pretrained(copy)
    return local(copy)


@pytest.mark.parametrize("part", ["weights", "adapter", "template", "tokenizer"])
def test_answers_of_a_changed_teacher_are_made_anew(part, letters_folder, adapter, tmp_path):
    before = local(letters_folder)
    before.answers(posed(4))
    after = changed(part, letters_folder, adapter, tmp_path / "copy")
    assert [name for name in before.made_by if before.made_by[name] != after.made_by[name]] == [part]
    scored = after.student.work.questions
    after.answers(posed(4))
    assert after.student.work.questions == scored + 4


def test_a_folder_that_holds_no_answers_is_explained(tiny_folder):
    module.cached_answers().mkdir(parents=True)
    database = module.cached_answers() / "cache.db"
    database.write_text("not a database, but long enough to be taken for one" * 100)
    with pytest.raises(InputError, match=r"teacher-answers can't be used: .*delete the folder"):
        local(tiny_folder).answers(posed(1))


def test_a_teacher_on_the_students_own_weights_is_refused(letters_folder, adapter):
    student = Student.for_training(letters_folder, Lora(2), 0)
    student.model.load_adapter(str(adapter), adapter_name="teacher")
    teacher = Student(student.base, student.model, student.tokenizer)
    with pytest.raises(InputError, match="shares its weights with the student"):
        check_apart(student.model, teacher.model)
    check_apart(student.model, Student.load(letters_folder, adapter).model)


def test_the_words_of_teacher_and_student_are_compared(tiny_folder, letters_folder, adapter, tmp_path):
    student = Student.load(tiny_folder)
    check_same_words(Student.load(letters_folder, adapter), student)
    template = changed("template", tiny_folder, adapter, tmp_path / "template").student
    with pytest.raises(InputError, match=r"the chat templates are .*System.* and .*system.* at character"):
        check_same_words(template, student)
    tokens = changed("tokenizer", tiny_folder, adapter, tmp_path / "tokenizer").student
    with pytest.raises(InputError, match=r"'queueing' is number 49152 and None"):
        check_same_words(tokens, student)
    end = Student.load(tiny_folder)
    end.tokenizer.eos_token = "<repo_name>"
    with pytest.raises(InputError, match=r"answers end with '<repo_name>' and '<\|im_end\|>'"):
        check_same_words(end, student)


@pytest.fixture(scope="module")
def finished(tiny_folder, letters_folder, adapter, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMDISTILL_CACHE", str(folder / "cache"))
        what = [f"teacher.adapter={adapter}", "distill.rounds=1"]
        config = small(tiny_folder, letters_folder, folder / "run", *what)
        config = config.model_copy(update={"method": MethodConfig(name="dagger")})
        return pipeline.run(config, Console(quiet=True))


def test_its_answers_are_the_questions_answers(finished, letters_folder, adapter):
    asked = [row for row in questions.load(finished / "questions.parquet") if row.decides]
    assert {question.round for question in asked} == {0, 1}
    for question, answer in zip(asked, Student.load(letters_folder, adapter).score(asked), strict=True):
        assert question.answer == question.choices[answer.choice]
        assert np.allclose(question.teacher_C or [], answer.probabilities_C, atol=1e-6)


def test_it_is_examined_as_a_policy(finished, letters_folder, adapter):
    (task,) = Results.read(finished / "metrics.json").tasks
    cost = task.policies["teacher"].cost
    assert all(cost[setting] is not None for setting in ("default", "in_distribution", "out_of_distribution"))
    assert task.teacher_valid_answers is not None and 0 < task.teacher_valid_answers <= 1
    assert (finished / "report.html").is_file()
    shown = read_json(finished / "examination.json")["tasks"][0]["decision_map"]
    language = Prompter(pipeline.Record.of(finished).config.task.language)
    places = list(np.ndindex(*shown["size"]))[:40]
    states = [{**shown["parameters"], "jobs": list(place)} for place in places]
    said = local(letters_folder, adapter).policy(language).many(states, [["A", "B"]] * len(states))
    assert said == [shown["policies"]["teacher"][a][b] for a, b in places]


def test_a_run_refuses_a_teacher_that_has_changed(finished):
    made_by = read_json(Layout.of(finished).made_by)
    Layout.of(finished).made_by.write_text(json.dumps(made_by | {"adapter": "other"}))
    try:
        with pytest.raises(InputError, match="has changed since this run began to learn from it: adapter"):
            pipeline.evaluate(finished, Console(quiet=True))
    finally:
        Layout.of(finished).made_by.write_text(json.dumps(made_by))


@pytest.fixture(scope="module")
def stopped(tiny_folder, letters_folder, tmp_path_factory) -> Path:
    """A run that was stopped in training; `teacher` beside it is its teacher."""
    folder = tmp_path_factory.mktemp("runs")
    shutil.copytree(letters_folder, folder / "teacher")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMDISTILL_CACHE", str(folder / "cache"))
        patch.setattr(Watch, "on_step_end", lambda *args, **kwargs: (_ for _ in ()).throw(Stop))
        with pytest.raises(Stop):
            pipeline.run(small(tiny_folder, folder / "teacher", folder / "run"), Console(quiet=True))
    return folder / "run"


@pytest.mark.parametrize("part", ["weights", "template", "tokenizer"])
def test_a_stopped_run_trains_no_further_when_its_teacher_has_changed(
    part, stopped, letters_folder, adapter, monkeypatch
):
    monkeypatch.setattr(KD, "train", lambda *args: pytest.fail("trained"))
    teacher = stopped.with_name("teacher")
    changed(part, letters_folder, adapter, teacher)
    with pytest.raises(
        InputError, match=f"teacher has changed since .* learn from it: {part}\\. Begin a new"
    ):
        pipeline.resume(stopped, Console(quiet=True))
    shutil.rmtree(teacher)
    shutil.copytree(letters_folder, teacher)
    with pytest.raises(BaseException, match="trained"):
        pipeline.resume(stopped, Console(quiet=True))


def test_a_teacher_that_never_says_a_choice_is_diagnosed_before_training(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(KD, "train", lambda *args: pytest.fail("trained"))
    with pytest.raises(InputError) as caught:
        pipeline.run(small(tiny_folder, tiny_folder, tmp_path / "run"), Console(quiet=True))
    first, *shown, last = str(caught.value).splitlines()
    assert first == f"{tiny_folder} said none of the choices in 16 answers; the first of them:"
    assert len(shown) == 10 and all(len(line.strip()) > 8 for line in shown)
    assert last == "Say in task.language.description how to answer, or take another model."


def test_a_teacher_that_cannot_be_packed_is_refused_before_teaching(tiny_folder, tmp_path, monkeypatch):
    def refuse(self, asked):
        if self.base.name == "copy":
            raise InputError("refused")

    shutil.copytree(tiny_folder, tmp_path / "copy")
    monkeypatch.setattr(Student, "check_packing", refuse)
    monkeypatch.setattr(LocalTeacher, "teach", lambda *args: pytest.fail("taught"))
    with pytest.raises(InputError, match="refused"):
        pipeline.run(small(tiny_folder, tmp_path / "copy", tmp_path / "run"), Console(quiet=True))


def test_what_it_says_is_what_its_scores_say(tiny_folder, letters_folder):
    """Texts are decoded token by token, choices are scored together."""
    asked, valid = posed(10), set()
    for teacher in (local(letters_folder), local(tiny_folder)):
        for question, text, said in zip(asked, teacher.texts(asked), teacher.answers(asked), strict=True):
            valid.add(said.valid)
            assert (said.choice if said.valid else None) == parse(text, question.choices).choice
    assert valid == {True, False}


def test_a_choice_within_marks_is_a_choice(letters_folder, monkeypatch):
    teacher = local(letters_folder)
    asked = posed(4)
    monkeypatch.setattr(teacher, "texts", lambda questions: ["perhaps"] * 3 + ["**b**."])
    teacher.check_sense(asked)
    monkeypatch.setattr(teacher, "texts", lambda questions: ["perhaps"] * 4)
    with pytest.raises(InputError, match="said none of the choices in 4 answers"):
        teacher.check_sense(asked)


def test_a_process_without_a_solution_is_compared_with_the_heuristic(tiny_folder, letters_folder, tmp_path):
    what = ["task=call_center", "task.horizon=20", "task.warm_up=0", "teacher.base=random"]
    config = small(tiny_folder, letters_folder, tmp_path / "run", *what, "evaluation.questions_shown=1")
    (task,) = Results.read(pipeline.run(config, Console(quiet=True)) / "metrics.json").tasks
    assert task.reference == config.task.heuristic
    cost = task.policies["teacher"].cost["out_of_distribution"]
    assert cost is not None and cost.replications == 2
