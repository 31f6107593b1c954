"""Questions about a process: rows, their order, and how answers are read."""
