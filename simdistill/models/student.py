"""Students: small language models that answer questions.

A student is a base model with or without a LoRA adapter. It answers a question by the exact probability of
every choice, in one forward pass for many questions (`simdistill.models.packing`). A student that is loaded
for deciding always computes in float32.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from transformers import DynamicCache, GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from simdistill.errors import InputError
from simdistill.files import replacing_folder, write_json, writing
from simdistill.models.choice_model import Answer, Asked
from simdistill.models.device import quiet
from simdistill.models.likelihood import choice_log_probabilities, greedy_choices
from simdistill.models.lora import BASE_FILE, Lora, with_adapter, with_new_adapter
from simdistill.models.packing import TokenizedQuestion, pack, packs, shared_prefix
from simdistill.models.pretrained import BaseModel, Fetched, base_model, load_model, load_tokenizer
from simdistill.models.tokenization import tokenize

PACK_NODES = 512
ROOM = 8
"""Tokens that a generated answer may have beyond the longest choice; they show whether it is longer."""
INEXACT = 1e-3
"""Tolerance of a log-probability x in a packed batch, times 1 + 0.1 |x|.

float32 changes SmolLM2-135M's log-probabilities by 2e-5; layers that mix a pack's sequences, by tenths.
"""
NEEDS_ATTENTION = (
    "Packed batches need a causal language model whose layers only use attention, with a window no shorter "
    "than the task's prompts; hybrid and recurrent models (LFM2, Qwen3-Next, Falcon-H1, …) don't work. Use "
    "another model, such as Llama, SmolLM2 or Qwen3; if only the window is too short, shorten the texts of "
    "task.language."
)


@dataclass
class Work:
    """Resources that answering used.

    Attributes:
        questions: Number of questions that were scored, without cached answers.
        tokens: Number of token positions that were computed.
        seconds: Wall-clock time.
    """

    questions: int = 0
    tokens: int = 0
    seconds: float = 0.0

    @property
    def decisions_per_second(self) -> float:
        """Number of questions per second; 0 before the first question."""
        return self.questions / self.seconds if self.seconds else 0.0


@dataclass
class Student:
    """A language model that answers questions.

    Attributes:
        base: The base model, from which the weights were loaded.
        model: The language model; a `PeftModel` while it is trained.
        tokenizer: Tokenizer of the model.
        work: Resources that answering used so far.
        goes_on: Whether a call of `score` reuses the keys and values of the call before for a common
            beginning of the prompts, which is for questions that come one at a time. The last digits of
            probabilities then depend on earlier questions.
    """

    base: BaseModel
    model: PreTrainedModel | PeftModel
    tokenizer: PreTrainedTokenizerBase
    work: Work = field(default_factory=Work)
    goes_on: bool = False
    _answers: dict[tuple, Answer] = field(default_factory=dict, repr=False)
    _tokenized: dict[tuple, TokenizedQuestion] = field(default_factory=dict, repr=False)
    _passed: tuple[TokenizedQuestion, DynamicCache] | None = field(default=None, repr=False)
    """First question of the last forward pass, and its cache, which begins with that question's prompt."""

    @classmethod
    def load(
        cls,
        source: BaseModel | Fetched | str | Path,
        adapter: Path | str | None = None,
        device: str = "cpu",
    ) -> "Student":
        """Loads a student for deciding, in float32 and with the adapter merged into the weights.

        Args:
            source: The base model, as in `base_model`.
            adapter: Folder written by `save_adapter`; None for no adapter.
            device: Device of the model, "cpu" or "cuda".

        Raises:
            InputError: The base model or the adapter is missing or corrupt, or the adapter was trained on
                another base model.
        """
        base = base_model(source)
        model = load_model(base)
        if adapter is not None:
            model = with_adapter(model, base, Path(adapter), trainable=False).merge_and_unload()
        model.to(device)  # type: ignore[arg-type]
        return cls(base, model.eval(), load_tokenizer(base))

    @classmethod
    def for_training(
        cls,
        source: BaseModel | Fetched | str | Path,
        lora: Lora,
        seed: int,
        adapter: Path | str | None = None,
        dtype: torch.dtype = torch.bfloat16,
        device: str = "cpu",
    ) -> "Student":
        """Loads a student for training, with a new adapter or a saved one.

        The adapter is float32; the frozen base model can be bfloat16, which trains faster under autocast.

        Args:
            source: The base model, as in `base_model`.
            lora: Settings of a new adapter; not used if `adapter` is given.
            seed: Seed of a new adapter's initial weights.
            adapter: Folder of the adapter to train further, written by `save_adapter`; None for a new one.
            dtype: Floating-point type of the frozen base model.
            device: Device of the model, "cpu" or "cuda".
        """
        base = base_model(source)
        model = load_model(base, dtype)
        if adapter is None:
            model = with_new_adapter(model, lora, seed)
        else:
            model = with_adapter(model, base, Path(adapter), trainable=True)
        return cls(base, model.to(device), load_tokenizer(base))  # type: ignore[arg-type]

    def save_adapter(self, path: Path | str, card: str) -> None:
        """Writes the adapter, tokenizer, model card and the base model's checksum atomically.

        Args:
            path: Folder; an existing adapter is replaced.
            card: The model card, in Markdown.
        """
        if not isinstance(self.model, PeftModel):
            raise InputError("This student has no adapter to save; load it with Student.for_training.")
        path = Path(path)
        with writing(path), replacing_folder(path) as temporary:
            self.model.save_pretrained(str(temporary), save_embedding_layers=False)
            self.tokenizer.save_pretrained(temporary)
            write_json(temporary / BASE_FILE, {"name": self.base.name, "sha256": self.base.sha256})
            (temporary / "README.md").write_text(card, encoding="utf-8")

    def tokenize(self, prompt: Sequence[dict], choices: Sequence[str]) -> TokenizedQuestion:
        """Tokenizes a question; results are cached."""
        key = _key(prompt, choices)
        if key not in self._tokenized:
            self._tokenized[key] = tokenize(self.tokenizer, prompt, choices)
        return self._tokenized[key]

    def check_packing(self, questions: Sequence[Asked]) -> None:
        """Checks that the model gives a question the same answer alone and packed behind other questions.

        Only the attention mask separates the sequences of a pack. Convolutions and recurrent states ignore
        it, so they mix sequences; and the mask doesn't include a model's sliding window.

        Args:
            questions: Questions of the run, of which the last should have one of the longest prompts; without
                any, nothing is checked.

        Raises:
            InputError: The answers differ, or the model can't compute a packed batch.
        """
        if not questions:
            return
        tokenized = [self.tokenize(question.prompt, question.choices[:2]) for question in questions]
        packed, alone = self._packed(tokenized), self._alone(tokenized[-1])
        # Not as `>`, which would accept NaN.
        if not abs(packed - alone) <= INEXACT * (1 + 0.1 * abs(alone)):
            raise InputError(
                f"{self.base.name} gives an answer the log probability {packed:.4f} if its question is "
                f"packed in one batch with others, but {alone:.4f} if it is alone. {NEEDS_ATTENTION}"
            )

    def _packed(self, questions: list[TokenizedQuestion]) -> float:
        """Returns the log-probability of the last sequence: the last question's last choice."""
        batch = pack(questions).to(self.model.device)
        try:
            with torch.inference_mode():
                log_p_QC = choice_log_probabilities(self.model(**batch.model_inputs()).logits, batch)
        except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(
                f"{self.base.name} can't answer questions that are packed in one batch: {error}. "
                f"{NEEDS_ATTENTION}"
            ) from error
        return float(log_p_QC[-1, len(questions[-1].choice_ids) - 1])

    def _alone(self, question: TokenizedQuestion) -> float:
        """Returns the log-probability of a question's last choice, from an unpacked forward pass."""
        said = [*question.choice_ids[-1], question.end_id]
        ids = torch.tensor([[*question.prompt_ids, *said[:-1]]], device=self.model.device)
        with torch.inference_mode():
            logits_TV = self.model(input_ids=ids, logits_to_keep=len(said), use_cache=False).logits[0]
        return float(logits_TV.float().log_softmax(-1)[range(len(said)), said].sum())

    def forget(self) -> None:
        """Clears cached answers; must be called after the model's weights have changed."""
        self._answers.clear()
        self._passed = None

    def forget_beyond(self, most: int) -> None:
        """Clears cached answers and tokens if there are more than `most`; for long-running processes."""
        if max(len(self._answers), len(self._tokenized)) > most:
            self._tokenized.clear()
            self.forget()

    def score(self, questions: Sequence[Asked], nodes: int = PACK_NODES) -> list[Answer]:
        """Answers questions by the exact probability of each choice.

        Answers are cached, so that identical questions are computed once.

        Args:
            questions: Questions of any kind, with `prompt` and `choices`.
            nodes: Largest number of positions in a packed forward pass, unless one question needs more.
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
        if not self.goes_on:
            self._passed = None
        return [self._answers[key] for key in keys]

    def texts(self, questions: Sequence[Asked]) -> list[str]:
        """Returns the texts that the student generates as answers, not constrained to the choices."""
        return [self._text(question) for question in questions]

    def _text(self, question: Asked) -> str:
        """Decodes an answer greedily; the text includes special tokens, except for the end token."""
        model: Any = self.model
        tokenized = self.tokenize(question.prompt, question.choices)
        prompt = torch.tensor([tokenized.prompt_ids], device=model.device)
        greedy = GenerationConfig(
            do_sample=False,
            repetition_penalty=1.0,
            max_new_tokens=max(map(len, tokenized.choice_ids)) + ROOM,
            eos_token_id=tokenized.end_id,
            pad_token_id=tokenized.end_id,
        )
        with quiet(), torch.inference_mode():
            found = model.generate(prompt, attention_mask=torch.ones_like(prompt), generation_config=greedy)
        text = self.tokenizer.decode(found[0, prompt.shape[1] :])
        return str(text).removesuffix(str(self.tokenizer.eos_token))

    def _answer(self, questions: list[TokenizedQuestion]) -> list[Answer]:
        begin = time.perf_counter()
        known, cache = self._known(questions)
        batch = pack(questions).to(self.model.device).after(known)
        going_on = {_cache_name(self.model): cache, "use_cache": True}
        with torch.inference_mode():
            logits_JV = self.model(**batch.model_inputs() | going_on).logits[0]
            log_p_QC = choice_log_probabilities(logits_JV, batch).cpu().numpy()
            said_QC = greedy_choices(logits_JV, batch).cpu().numpy()
        answers = [
            _answer(log_p_QC[index, : len(question.choice_ids)], said_QC[index, : len(question.choice_ids)])
            for index, question in enumerate(questions)
        ]
        self._passed = questions[0], cache
        self.work.questions += len(questions)
        self.work.tokens += batch.input_ids.shape[1]
        self.work.seconds += time.perf_counter() - begin
        return answers

    def _known(self, questions: list[TokenizedQuestion]) -> tuple[int, DynamicCache]:
        """Returns the number of the prompts' common first tokens that are cached, and the cache of these."""
        passed, self._passed = self._passed, None  # after a failed pass the cache is invalid
        known = len(shared_prefix([passed[0], *questions])) if passed else 0
        if not passed or not known:
            return 0, DynamicCache(config=self.model.config)
        cache = passed[1]
        cache.crop(known - cache.get_seq_length())
        return known, cache


def _cache_name(model: PreTrainedModel | PeftModel) -> str:
    """Returns the model's name of its cache argument, which later releases of transformers have renamed."""
    inner = model.get_base_model() if isinstance(model, PeftModel) else model
    return "cache" if "cache" in signature(inner.forward).parameters else "past_key_values"


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
