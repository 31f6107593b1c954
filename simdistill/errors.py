"""What can go wrong, told to the person who can mend it."""


class InputError(ValueError):
    """Something given by the user is wrong; the message says what, where, the value and what to do.

    The command line prints the message alone and ends with exit code 2.
    """


class ProcessError(RuntimeError):
    """A process model misbehaved during an episode.

    Attributes:
        simulator: Name of the process model's class.
        seed_path: Seed path of the episode, root first.
        time: Simulated time at which it happened.
        reason: What happened.
    """

    def __init__(self, simulator: str, seed_path: tuple[int, ...], time: float, reason: str):
        self.simulator, self.seed_path, self.time, self.reason = simulator, seed_path, time, reason
        super().__init__(simulator, seed_path, time, reason)

    def __str__(self) -> str:
        episode = self.seed_path[-1] if self.seed_path else "?"
        where = f"episode {episode}, seed {list(self.seed_path)}, time {self.time:g}"
        return f"{self.simulator}: {self.reason} ({where})"
