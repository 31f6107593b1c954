"""Models that depend on hashes, and on none; another process can import them."""

import itertools

from simdistill import ProcessModel, exponential
from simdistill.adapt import charge, decide, duration, process_model


def waiting_room(env, ordered: bool = False):
    """Who is next is whom a set of texts gives first, or the least."""
    waiting: set[str] = set()
    for number in itertools.count():
        yield duration(env, "arrival", number, exponential(1.0))
        waiting.add(f"patient {number}")
        if len(waiting) > 3:
            called = min(waiting) if ordered else next(iter(waiting))
            state = lambda one=called: {"number": int(one[8:]) % 7}  # noqa: E731
            answer = yield decide(env, "Treat?", ["yes", "no"], state)
            waiting.remove(called)
            charge(env, "cost", float(int(called[8:]) % 7) if answer == "yes" else 2.0)


WaitingRoom = process_model(waiting_room)


class Hashed(ProcessModel):
    """Costs are made of a hash."""

    def build(self):
        self.env.process(self.run())

    def run(self):
        for number in itertools.count():
            yield self.duration("arrival", number, exponential(1.0))
            answer = yield self.decide("In?", ["in", "away"])
            self.charge("cost", hash(f"visitor {number}") % 5 if answer == "in" else 2.0)

    def observe(self, decision):
        return {"now": 0}
