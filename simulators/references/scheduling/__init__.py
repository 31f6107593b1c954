"""Exact solutions of scheduling networks."""
