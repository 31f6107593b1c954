"""A process model with a decision, run by a policy.

Patients come to a clinic; a nurse sends each to one of two doctors. Doctor A takes 6 minutes for a patient on
average, doctor B 12.
"""

import itertools

import simpy

from simdistill import Parameters, ProcessModel, exponential
from simdistill.simulation.situations import Episode


class Clinic(ProcessModel):
    class Params(Parameters):
        between_min: float = 5.0
        treatment_min: tuple[float, float] = (6.0, 12.0)

    def build(self):
        self.rooms = [simpy.Resource(self.env) for _ in self.params.treatment_min]
        self.env.process(self.arrivals())

    def arrivals(self):
        for patient in itertools.count():
            yield self.duration("arrival", patient, exponential(self.params.between_min))
            doctor = yield self.decide("Which doctor?", {"A": 0, "B": 1}, about=patient)
            self.env.process(self.treatment(patient, doctor))

    def treatment(self, patient, doctor):
        arrived, room = self.env.now, self.rooms[doctor]
        with room.request() as turn:
            self.count()
            yield turn
            self.tally("wait", self.env.now - arrived)
            yield self.duration("treatment", patient, exponential(self.params.treatment_min[doctor]))
        self.count()

    def count(self):
        self.cost_rate("waiting", sum(len(room.queue) for room in self.rooms))

    def observe(self, decision):
        return {"with_doctor": [room.count + len(room.queue) for room in self.rooms]}


def shorter_queue(state, choices):
    return min(choices, key=lambda label: state["with_doctor"]["AB".index(label)])


if __name__ == "__main__":
    episode = Episode(Clinic({"between_min": 4.0}, world=(1,)))
    while (situation := episode.advance(until=30.0)) is not None:
        label = shorter_queue(situation.state, situation.choices)
        print(f"{situation.time:5.2f}  with doctors A, B: {situation.state['with_doctor']} -> {label}")
        episode.answer(label)
    (waited, patients), minutes = episode.model.totals(30.0)["wait"], episode.model.cost(30.0)
    print(f"{patients:.0f} patients began after {waited:.1f} minutes of waiting in all")
    print(f"all waiting up to minute 30: {minutes:.1f} minutes")
