"""Fixtures shared by all tests."""

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest

from simdistill.simulation import Parameters, ProcessModel, deterministic, exponential, gamma


@pytest.fixture
def own_registry():
    """Whatever the test registers is forgotten at its end."""
    from simdistill import registry

    with registry.registering():
        yield


@pytest.fixture(scope="session")
def real_base():
    """The embedded student's base model, from the user's cache (fetched once)."""
    from simdistill.models.pretrained import SMOLLM2_135M

    return SMOLLM2_135M.fetch()


@pytest.fixture(scope="session")
def tokenizer(real_base):
    """The real tokenizer."""
    from simdistill.models.pretrained import load_tokenizer

    return load_tokenizer(real_base)


@pytest.fixture(scope="session")
def tiny_folder(tokenizer, tmp_path_factory) -> Path:
    """A tiny random Llama with the real tokenizer, saved as a model folder."""
    return save_llama(tokenizer, tmp_path_factory.mktemp("students") / "tiny")


@pytest.fixture(scope="session")
def deep_folder(tokenizer, tmp_path_factory) -> Path:
    """Another one, with six layers."""
    return save_llama(tokenizer, tmp_path_factory.mktemp("students") / "deep", num_hidden_layers=6)


@pytest.fixture(scope="session")
def wide_folder(tokenizer, tmp_path_factory) -> Path:
    """Another one, wider, with three layers."""
    folder = tmp_path_factory.mktemp("students") / "wide"
    return save_llama(tokenizer, folder, num_hidden_layers=3, hidden_size=96)


def save_llama(tokenizer, folder: Path, **settings) -> Path:
    """Saves a tiny random Llama as a model folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(1)
    config = LlamaConfig(
        **{
            "vocab_size": len(tokenizer),
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "tie_word_embeddings": True,
            "initializer_range": 0.2,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            **settings,
        }
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tiny_folder):
    """The tiny Llama, float32; tests must not train it."""
    from simdistill.models.pretrained import base_model, load_model

    return load_model(base_model(tiny_folder))


@pytest.fixture
def process_of():
    """Makes a process model class out of generator functions `body(model)`, each a SimPy process."""

    def make(*bodies: Callable[[Any], Generator], **attributes: Any) -> type[ProcessModel]:
        def build(self):
            self.log = []
            self.count = 0
            for body in bodies:
                self.env.process(body(self))

        def observe(self, decision):
            return {"count": self.count}

        return type("Example", (ProcessModel,), {"build": build, "observe": observe, **attributes})

    return make


class Repairs(ProcessModel):
    """A machine breaks down again and again; a job that comes meanwhile may be held, or sent away at a price.

    Repair times aren't exponential: how long one has lasted matters, and isn't observed.
    """

    class Params(Parameters):
        shape: float | None = 4.0
        mean: float = 3.0
        price: float = 2.0

    max_choices = 2

    def build(self):
        self.waiting = 0
        self.broken = False
        self.env.process(self.machine())
        self.env.process(self.jobs())

    def machine(self):
        params = self.params
        repair = deterministic(params.mean) if params.shape is None else gamma(params.shape, params.mean)
        for breakdown in range(10**9):
            yield self.duration("up", breakdown, gamma(2.0, 2.0))
            self.broken = True
            yield self.duration("repair", breakdown, repair)
            self.broken = False
            self.waiting = 0
            self.cost_rate("waiting", 0)

    def jobs(self):
        for job in range(10**9):
            yield self.duration("arrival", job, exponential(1.0))
            if self.broken:
                answer = yield self.decide("Hold it?", ["hold", "send away"], about=job)
                if answer == "hold":
                    self.waiting += 1
                    self.cost_rate("waiting", self.waiting)
                else:
                    self.charge("sent away", self.params.price)

    def observe(self, decision):
        return {"waiting": self.waiting}


@pytest.fixture
def repairs() -> type[ProcessModel]:
    return Repairs


# A run of queueing that takes seconds, with a tiny student.

TINY_RUN = [
    "task=queueing",
    "teacher.generations=1",
    "teacher.scenarios=8",
    "teacher.futures=4",
    "teacher.compared_sets=2",
    "task.horizon=100",
    "task.warm_up=20",
    "distill.questions=48",
    "distill.forecasts=8",
    "teacher.forecast_futures=4",
    "distill.rounds=1",
    "distill.round_questions=16",
    "distill.round_states_per_episode=2",
    "distill.validation_questions=8",
    "distill.batch_size=8",
    "distill.checkpoint_steps=2",
    "student.lora.r=2",
    "student.lora.layers=2",
    "student.dtype=float32",
    "evaluation.parameter_sets=1",
    "evaluation.replications=2",
    "evaluation.tabulated_mass=0.5",
    "evaluation.questions_shown=2",
    "evaluation.forecasts=4",
    "evaluation.forecast_futures=16",
    "workers=1",
    "threads=1",
]


@pytest.fixture(scope="session")
def tiny_run() -> list[str]:
    """Overrides of the run, without those of student and folder."""
    return TINY_RUN


@pytest.fixture(scope="session")
def small() -> Callable:
    """Composes the run's configuration: student, folder and further overrides -> configuration."""
    from simdistill.config import compose

    def composed(student: Path, output: Path, *overrides: str):
        searches = not any(override.startswith("teacher.name=") for override in overrides)
        own = ("teacher.generations=", "teacher.compared_sets=")  # fields of a search alone
        given = [override for override in TINY_RUN if searches or not override.startswith(own)]
        return compose([*given, f"student.name={student}", f"output={output}", *overrides])[0]

    return composed


@pytest.fixture(scope="session")
def finished(small, tiny_folder, tmp_path_factory) -> Path:
    """The folder of such a run, finished; tests mustn't change it."""
    from rich.console import Console

    from simdistill.runs import pipeline

    return pipeline.run(small(tiny_folder, tmp_path_factory.mktemp("runs") / "run"), Console(quiet=True))
