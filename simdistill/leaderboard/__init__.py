"""Leaderboards, which compare methods: the protocol, the results of its cells, and the conclusions."""

from simdistill.leaderboard.board import board
from simdistill.leaderboard.protocol import Cell, Protocol, load_protocol
from simdistill.leaderboard.results import Result, read_results

__all__ = ["Cell", "Protocol", "Result", "board", "load_protocol", "read_results"]
