"""The episode that is being simulated at the moment; generators that are made before it draw from it."""

import threading
from typing import Any


class Running(threading.local):
    """What runs in this thread.

    Attributes:
        sources: Sources of the episode whose model is being built, advanced or observed; None between these.
    """

    sources: Any = None


running = Running()
