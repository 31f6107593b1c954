"""Errors that are reported as a message to the person who can fix them."""


class InputError(ValueError):
    """An error in the user's input. Its message says what is wrong, where, the value, and what to do.

    The command line prints only the message and exits with code 2.
    """


class ProcessError(RuntimeError):
    """An error of a process model during an episode.

    Attributes:
        simulator: Name of the process model's class.
        seed_path: Seed path of the episode, beginning with the root.
        time: Simulated time of the error.
        reason: Description of the error.
    """

    def __init__(self, simulator: str, seed_path: tuple[int, ...], time: float, reason: str):
        self.simulator, self.seed_path, self.time, self.reason = simulator, seed_path, time, reason
        super().__init__(simulator, seed_path, time, reason)

    def __str__(self) -> str:
        episode = self.seed_path[-1] if self.seed_path else "?"
        where = f"episode {episode}, seed {list(self.seed_path)}, time {self.time:g}"
        return f"{self.simulator}: {self.reason} ({where})"


class AskedOutside(ProcessError):
    """A question that can't be put, because it isn't the process's own code that asks."""
