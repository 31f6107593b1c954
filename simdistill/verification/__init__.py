"""Simulators and reference solvers against known answers: `simdistill verify`."""
