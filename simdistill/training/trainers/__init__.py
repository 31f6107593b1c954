"""Trainers, all on TRL."""
