"""The command line: `simdistill VERB`."""

from simdistill.cli.app import app, main

__all__ = ["app", "main"]
