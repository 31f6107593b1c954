"""Where the language model runs."""

import pytest
import torch

from simdistill.errors import InputError
from simdistill.models.device import chosen_device


def test_without_a_card_cuda_is_refused_and_auto_is_the_processor(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert chosen_device("cpu") == chosen_device("auto") == "cpu"
    with pytest.raises(InputError, match=r"device=cuda: torch .*; use device=cpu or device=auto"):
        chosen_device("cuda")


def test_one_card_is_used_and_several_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert chosen_device("auto") == chosen_device("cuda") == "cuda" and chosen_device("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    with pytest.raises(InputError, match="device=auto: there are 4 graphics cards, but a process uses one"):
        chosen_device("auto")


def test_launched_processes_share_several_cards(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert chosen_device("auto") == "cuda"
