"""Forms of states, and their encoding as features."""

from simdistill.simulation.forms.collect import MOST_TEXTS, Words
from simdistill.simulation.forms.encoding import Encoding

__all__ = ["MOST_TEXTS", "Encoding", "Words"]
