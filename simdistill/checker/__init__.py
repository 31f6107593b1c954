"""Checks of process models: what is wrong with a model, in words, before it is used."""
