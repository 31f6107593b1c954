"""Markov decision processes, solved exactly."""
