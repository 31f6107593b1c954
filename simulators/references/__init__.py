"""Reference solvers of the simulators, and the experiments in which simulators reproduce known answers."""
