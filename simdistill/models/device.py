"""What the machine and the libraries on it do: arithmetic, memory, noise."""

import ctypes
import gc
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

import datasets
import torch
from transformers.utils import logging as transformers_logging

from simdistill import distributed as launched
from simdistill.errors import InputError

# Hardly two batches are of one length, and oneDNN keeps what it has prepared for each: a gigabyte after the
# example's training in bfloat16. It reads this before the first product.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")


def release_memory() -> None:
    """Frees models that only refer to themselves, and gives their memory back to the system."""
    gc.collect()
    # glibc keeps freed memory unless it is told; other C libraries don't.
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps the libraries' own progress bars, hints and deprecations among themselves off the terminal."""
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    data_bars = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
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
        if data_bars:
            datasets.enable_progress_bars()


def chosen_device(wanted: str) -> str:
    """Returns where the language model runs, "cpu" or "cuda".

    Args:
        wanted: One of the two, or "auto" for the graphics card where there is one.

    Raises:
        InputError: If CUDA is wanted and isn't there, or several cards are seen: a process uses one.
    """
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        built = (
            f"is built for CUDA {torch.version.cuda}, and sees no card"
            if torch.version.cuda
            else "has no CUDA"
        )
        raise InputError(f"device=cuda: torch {torch.__version__} {built}; use device=cpu or device=auto")
    cards = torch.cuda.device_count()
    if cards > 1 and launched.processes() == 1:
        raise InputError(
            f"device={wanted}: {cards} graphics cards are seen, and one is used; choose it with "
            "CUDA_VISIBLE_DEVICES=0, or train on all with accelerate launch "
            f"--num_processes {cards} -m simdistill run …"
        )
    return "cuda"


@cache
def faster_dtype(device: str = "cpu") -> torch.dtype:
    """Returns the arithmetic in which this machine multiplies matrices of a small model's size faster.

    Processors without instructions for bfloat16 may be a hundred times slower in it than in float32.
    """
    if device == "cuda":
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
