"""The machine and its libraries: choice of device and floating-point type, free memory, fewer messages."""

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

# Nearly every batch has a different length, and oneDNN caches prepared primitives for each length: a gigabyte
# after the example's training in bfloat16. oneDNN reads this variable before the first matrix product.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")


def release_memory() -> None:
    """Frees models that only reference cycles keep alive, and returns their memory to the system."""
    gc.collect()
    # glibc keeps freed memory until `malloc_trim` is called; other C libraries have no such function.
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@contextmanager
def quiet() -> Iterator[None]:
    """Hides the libraries' own progress bars, hints and mutual deprecation warnings in the `with` block."""
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    data_bars = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        with warnings.catch_warnings():
            # TRL and PEFT use names that transformers has deprecated.
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
    """Returns the device of the language model, "cpu" or "cuda".

    Args:
        wanted: "cpu", "cuda", or "auto" for the graphics card if there is one.

    Raises:
        InputError: If CUDA is wanted but not available, or a single process sees several graphics cards.
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
            f"device={wanted}: there are {cards} graphics cards, but a process uses one; choose it with "
            "CUDA_VISIBLE_DEVICES=0, or train on all with accelerate launch "
            f"--num_processes {cards} -m simdistill run …"
        )
    return "cuda"


@cache
def faster_dtype(device: str = "cpu") -> torch.dtype:
    """Returns float32 or bfloat16, whichever is faster for a small model's matrix products on this machine.

    bfloat16 may be a hundred times slower than float32 on processors without instructions for it.
    """
    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    seconds = {dtype: _product_seconds(dtype) for dtype in (torch.float32, torch.bfloat16)}
    # The advantage must be clear, so that the choice doesn't depend on the machine's other load.
    return torch.bfloat16 if seconds[torch.bfloat16] < 0.8 * seconds[torch.float32] else torch.float32


def _product_seconds(dtype: torch.dtype, rows: int = 256, width: int = 576, tries: int = 5) -> float:
    """Returns the shortest measured time, in seconds, of a layer's two matrix products."""
    inputs, weights = torch.ones(rows, width, dtype=dtype), torch.ones(width, width, dtype=dtype)
    best = float("inf")
    for _ in range(tries):
        begin = time.perf_counter()
        torch.matmul(torch.nn.functional.linear(inputs, weights), weights)
        best = min(best, time.perf_counter() - begin)
    return best
