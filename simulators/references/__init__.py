"""Reference solvers of the simulators, and how each simulator reproduces known answers."""
