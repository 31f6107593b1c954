"""Runs: all stages from simulator to report, and the files of a run's folder."""
