"""Verification, `simdistill verify`: compares simulators and reference solvers with known answers."""
