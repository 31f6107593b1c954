"""Packing of many token sequences in one: a trie in which every distinct prefix is computed once.

All sequences of a batch (prompt, then the tokens of one choice) are merged in a trie. Each node is a distinct
prefix and a position of the packed sequence: its position id is its depth, and it attends to its ancestors
and itself. So a task's description, an episode's parameters and the common beginnings of situations and
choices are computed once for all questions that share them. Every probability is the same as if its sequence
were computed alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch


@dataclass(frozen=True)
class TokenizedQuestion:
    """A tokenized question.

    Attributes:
        prompt_ids: Tokens of the prompt, up to where the answer begins.
        choice_ids: Tokens of each choice, without the end token.
        end_id: Token that ends an answer.
    """

    prompt_ids: tuple[int, ...]
    choice_ids: tuple[tuple[int, ...], ...]
    end_id: int


@dataclass(frozen=True)
class PackedBatch:
    """Questions packed in one sequence of T positions; Q questions of at most C choices; J scored positions.

    A choice's probability is a product of token probabilities, including its end token's; there are N such
    factors in the batch. Factor n is the probability of token `factor_token_N[n]` at scored position
    `factor_row_N[n]`, and belongs to slot `factor_slot_N[n]` = question * C + choice.

    Attributes:
        input_ids: Tokens (1, T).
        position_ids: Depths of the positions in the trie, (1, T).
        attention_mask: Booleans (1, 1, T, T), True where the row's position attends to the column's.
        scored_J: Positions whose logits are needed, ascending.
        factor_row_N: Index of each factor's position in `scored_J`.
        factor_token_N: Token id of each factor.
        factor_slot_N: Slot of each factor, question * C + choice.
        choice_mask_QC: Whether a question has a choice in this column.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    attention_mask: torch.Tensor
    scored_J: torch.Tensor
    factor_row_N: torch.Tensor
    factor_token_N: torch.Tensor
    factor_slot_N: torch.Tensor
    choice_mask_QC: torch.Tensor

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Returns the names of the tensors."""
        return tuple(field.name for field in fields(cls))

    def tensors(self) -> dict[str, torch.Tensor]:
        """Returns the tensors by name; `PackedBatch(**tensors)` is the inverse."""
        return {name: getattr(self, name) for name in self.names()}

    def after(self, prefix: int) -> "PackedBatch":
        """Returns the batch without its first positions, whose keys and values are in a cache.

        Args:
            prefix: Number of positions; they must be the beginning of every prompt, and none may be scored.
        """
        return replace(
            self,
            input_ids=self.input_ids[:, prefix:],
            position_ids=self.position_ids[:, prefix:],
            attention_mask=self.attention_mask[:, :, prefix:],
            scored_J=self.scored_J - prefix,
        )

    def to(self, device: torch.device | str) -> "PackedBatch":
        """Returns the batch on a device."""
        return PackedBatch(**{name: tensor.to(device) for name, tensor in self.tensors().items()})

    def model_inputs(self) -> dict:
        """Returns arguments of a causal language model's forward pass, whose logits are then (1, J, V).

        The model needs `attn_implementation="sdpa"`: the eager one misreads boolean masks.
        """
        return {
            "input_ids": self.input_ids,
            "position_ids": self.position_ids,
            "attention_mask": self.attention_mask,
            "logits_to_keep": self.scored_J,
            "use_cache": False,
        }


class Trie:
    """A trie of token sequences. Nodes are numbered as they are added, so parents precede their children."""

    def __init__(self):
        self.parents: list[int] = []
        self.tokens: list[int] = []
        self.depths: list[int] = []
        self._children: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self.tokens)

    def extend(self, node: int, tokens: Sequence[int]) -> list[int]:
        """Returns the nodes of `tokens` below `node` (-1 is the empty prefix), and adds missing ones."""
        path = []
        for token in tokens:
            child = self._children.get((node, token))
            if child is None:
                child = self._add(node, token)
            path.append(child)
            node = child
        return path

    def _add(self, parent: int, token: int) -> int:
        node = len(self.tokens)
        self._children[parent, token] = node
        self.parents.append(parent)
        self.tokens.append(token)
        self.depths.append(self.depths[parent] + 1 if parent >= 0 else 0)
        return node

    def mask_TT(self) -> np.ndarray:
        """Returns booleans (T, T), True where the column's node is the row's node or an ancestor of it."""
        mask_TT = np.zeros((len(self), len(self)), dtype=bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                mask_TT[node] = mask_TT[parent]
            mask_TT[node, node] = True
        return mask_TT


def pack(questions: Sequence[TokenizedQuestion]) -> PackedBatch:
    """Packs the prompts and choices of questions in one sequence.

    Args:
        questions: The questions, at least one; every prompt and every choice has at least one token.
    """
    trie = Trie()
    width = max(len(question.choice_ids) for question in questions)
    nodes, tokens, slots = [], [], []
    for index, question in enumerate(questions):
        prompt_end = trie.extend(-1, question.prompt_ids)[-1]
        for choice, choice_ids in enumerate(question.choice_ids):
            nodes += [prompt_end, *trie.extend(prompt_end, choice_ids)]
            tokens += [*choice_ids, question.end_id]
            slots += [index * width + choice] * (len(choice_ids) + 1)
    scored_J, row_N = np.unique(np.asarray(nodes), return_inverse=True)
    counts_Q = torch.tensor([len(question.choice_ids) for question in questions])
    return PackedBatch(
        input_ids=torch.tensor([trie.tokens]),
        position_ids=torch.tensor([trie.depths]),
        attention_mask=torch.from_numpy(trie.mask_TT())[None, None],
        scored_J=torch.from_numpy(scored_J),
        factor_row_N=torch.from_numpy(row_N),
        factor_token_N=torch.tensor(tokens),
        factor_slot_N=torch.tensor(slots),
        choice_mask_QC=torch.arange(width) < counts_Q[:, None],
    )


def shared_prefix(questions: Sequence[TokenizedQuestion]) -> tuple[int, ...]:
    """Returns the longest common prefix of all prompts, but without the last token of the shortest prompt."""
    first, last = (pick(question.prompt_ids for question in questions) for pick in (min, max))
    most = min(len(question.prompt_ids) for question in questions) - 1
    # In sorted order, a common prefix of the first and the last is a common prefix of all between them.
    differing = (place for place in range(most) if first[place] != last[place])
    return first[: next(differing, most)]


def packs(questions: Sequence[TokenizedQuestion], limit: int) -> list[list[int]]:
    """Divides questions into packs of at most `limit` nodes; common prefixes are in the same pack.

    Args:
        questions: Questions in any order.
        limit: Largest number of nodes in a pack; a question with more nodes gets a pack of its own.

    Returns:
        Indices of the questions of each pack.
    """
    order = sorted(range(len(questions)), key=lambda index: questions[index].prompt_ids)
    divided: list[list[int]] = []
    trie = Trie()
    for index in order:
        before = len(trie)
        _insert(trie, questions[index])
        if not divided or (len(trie) > limit and before > 0):
            trie = Trie()
            _insert(trie, questions[index])
            divided.append([])
        divided[-1].append(index)
    return divided


def _insert(trie: Trie, question: TokenizedQuestion) -> None:
    prompt_end = trie.extend(-1, question.prompt_ids)[-1]
    for choice_ids in question.choice_ids:
        trie.extend(prompt_end, choice_ids)
