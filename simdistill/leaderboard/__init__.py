"""Evidence about methods: which tasks, budgets and seeds count, what was found, and what follows from it."""

from simdistill.leaderboard.board import board
from simdistill.leaderboard.protocol import Cell, Protocol, load_protocol
from simdistill.leaderboard.results import Result, read_results

__all__ = ["Cell", "Protocol", "Result", "board", "load_protocol", "read_results"]
