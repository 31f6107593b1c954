"""A run from simulator to report, and what it keeps on disk."""
