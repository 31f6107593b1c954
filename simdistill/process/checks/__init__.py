"""Checks of process models: each yields (message, advice) for what is wrong, notes for what it can't tell."""
