"""An outpatient clinic that sees booked patients and walk-ins: one day, two doctors.

Patients check in at the desk, a nurse takes their observations, and they sit down in the waiting room.
A doctor who is free calls the next one. Some are sent to have blood taken, and come back to a doctor with
the result ("review"). Walk-ins who wait for too long go home.

Booked patients are more or less punctual, and some don't come. Walk-ins arrive by a non-stationary Poisson
process, which is sampled by thinning. All times are in minutes from the opening at 8 o'clock.

    python clinic_original.py --replications 40
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass, field

import numpy as np
import simpy

BOOKED, WALK_IN, REVIEW = "booked", "walk_in", "review"
LINES = (BOOKED, WALK_IN, REVIEW)


@dataclass(frozen=True)
class Scenario:
    """What all experiments have in common."""

    opening_hours: float = 480.0
    closing: float = 600.0

    slot: float = 20.0
    first_slot: float = 15.0
    last_slot: float = 420.0
    no_show: float = 0.08
    earliness_mean: float = 8.0
    earliness_sd: float = 9.0

    profile: tuple[float, ...] = (0.8, 1.3, 1.5, 1.2, 0.9, 0.8, 0.9, 0.6)
    """Walk-ins in each hour, over their average."""

    desk_mean: float = 2.5
    observations: tuple[float, float, float] = (2.0, 4.0, 8.0)
    consultation_mean: dict[str, float] = field(
        default_factory=lambda: {BOOKED: 14.0, WALK_IN: 9.0, REVIEW: 4.0}
    )
    consultation_cv: float = 0.5
    blood_test: dict[str, float] = field(default_factory=lambda: {BOOKED: 0.25, WALK_IN: 0.35})
    blood_mean: float = 4.0
    analyser: tuple[float, float] = (12.0, 22.0)

    patience_least: float = 20.0
    patience_mean: float = 50.0
    lunch_from: float = 210.0
    lunch_length: float = 30.0
    audit_interval: float = 10.0

    wait_weight: dict[str, float] = field(default_factory=lambda: {BOOKED: 1.0, WALK_IN: 0.5, REVIEW: 1.0})
    late_after: float = 30.0
    late_penalty: float = 25.0
    left_penalty: float = 30.0
    walk_in_limit: float = 45.0


@dataclass(eq=False)
class Patient:
    """One attendance."""

    number: int
    kind: str
    arrival: float
    appointment: float | None = None
    since: float = 0.0
    called: simpy.Event | None = None
    waits: list[float] = field(default_factory=list)
    left_unseen: bool = False
    departure: float | None = None


def gamma(rng: np.random.Generator, mean: float, cv: float) -> float:
    """A gamma variate from its mean and its coefficient of variation."""
    shape = 1.0 / cv**2
    return rng.gamma(shape, mean / shape)


class Clinic:
    """One day of the clinic.

    Args:
        walk_ins_per_hour: Their average over the opening hours.
        doctors: Doctors on duty.
        seed: Seed of the random numbers.
        scenario: Everything else.
    """

    def __init__(
        self,
        walk_ins_per_hour: float = 3.6,
        doctors: int = 2,
        seed: int = 1,
        scenario: Scenario | None = None,
    ):
        self.p = scenario or Scenario()
        self.walk_ins_per_hour = walk_ins_per_hour
        self.n_doctors = doctors
        self.env = simpy.Environment()
        demand, care = np.random.SeedSequence(seed).spawn(2)
        self.rng_demand = np.random.default_rng(demand)
        self.rng_care = np.random.default_rng(care)

        self.desk = simpy.Resource(self.env)
        self.nurse = simpy.Resource(self.env)
        self.phlebotomist = simpy.Resource(self.env)
        self.waiting: dict[str, list[Patient]] = {line: [] for line in LINES}
        self.somebody_waits = self.env.event()

        self.numbers = itertools.count(1)
        self.patients: list[Patient] = []
        self.cost = 0.0
        self.doctor_minutes = 0.0
        self.audit: list[int] = []

    def run(self) -> dict[str, float]:
        """Runs the day and returns its figures."""
        self.env.process(self.bookings())
        self.env.process(self.walk_ins())
        self.env.process(self.auditor())
        for number in range(self.n_doctors):
            self.env.process(self.doctor(number))
        self.env.run(until=self.p.closing)
        return self.results()

    # --- who comes ----------------------------------------------------------------------------

    def bookings(self):
        """Lets the booked patients come, one a slot and doctor."""
        slots = np.arange(self.p.first_slot, self.p.last_slot + 1, self.p.slot)
        for slot in slots:
            for _ in range(self.n_doctors):
                self.env.process(self.booked_patient(float(slot)))
        yield self.env.timeout(0)

    def booked_patient(self, appointment: float):
        """Comes a little early or late, or not at all."""
        if self.rng_demand.random() < self.p.no_show:
            return
        early = self.rng_demand.normal(self.p.earliness_mean, self.p.earliness_sd)
        yield self.env.timeout(max(0.0, appointment - early))
        yield from self.attend(self.new_patient(BOOKED, appointment))

    def walk_ins(self):
        """Generates walk-ins by thinning a Poisson process at the peak rate."""
        rates = np.asarray(self.p.profile) * self.walk_ins_per_hour / 60.0
        peak = rates.max()
        while True:
            yield self.env.timeout(self.rng_demand.exponential(1.0 / peak))
            if self.env.now >= self.p.opening_hours:
                return
            if self.rng_demand.random() < rates[int(self.env.now // 60)] / peak:
                self.env.process(self.attend(self.new_patient(WALK_IN)))

    def new_patient(self, kind: str, appointment: float | None = None) -> Patient:
        patient = Patient(next(self.numbers), kind, self.env.now, appointment)
        self.patients.append(patient)
        return patient

    # --- the patient's way --------------------------------------------------------------------

    def attend(self, patient: Patient):
        """From the door to the waiting room; walk-ins go home when their patience ends."""
        with self.desk.request() as turn:
            yield turn
            yield self.env.timeout(self.rng_care.exponential(self.p.desk_mean))
        with self.nurse.request() as turn:
            yield turn
            yield self.env.timeout(self.rng_care.triangular(*self.p.observations))
        called = self.sit_down(patient, patient.kind)
        if patient.kind == WALK_IN:
            patience = self.p.patience_least + self.rng_demand.exponential(self.p.patience_mean)
            yield called | self.env.timeout(patience)
            if not called.triggered:
                self.go_home(patient)

    def sit_down(self, patient: Patient, line: str) -> simpy.Event:
        """Puts a patient into the waiting room, and tells doctors who wait for one."""
        patient.since, patient.called = self.env.now, self.env.event()
        self.waiting[line].append(patient)
        self.somebody_waits.succeed()
        self.somebody_waits = self.env.event()
        return patient.called

    def go_home(self, patient: Patient) -> None:
        self.waiting[WALK_IN].remove(patient)
        self.record_wait(patient, WALK_IN)
        patient.left_unseen = True
        patient.departure = self.env.now
        self.cost += self.p.left_penalty

    def blood_test(self, patient: Patient):
        """Blood is taken and analysed; then the patient waits for a doctor again."""
        with self.phlebotomist.request() as turn:
            yield turn
            yield self.env.timeout(self.rng_care.exponential(self.p.blood_mean))
        yield self.env.timeout(self.rng_care.uniform(*self.p.analyser))
        self.sit_down(patient, REVIEW)

    # --- the doctors --------------------------------------------------------------------------

    def doctor(self, number: int):
        """Sees patients until the clinic closes; lunch is taken between two of them."""
        lunch_at = self.p.lunch_from + number * self.p.lunch_length
        while True:
            if lunch_at is not None and self.env.now >= lunch_at:
                lunch_at = None
                yield self.env.timeout(self.p.lunch_length)
            while not self.lines():
                yield self.somebody_waits
            line = self.next_line()
            patient = self.waiting[line].pop(0)
            self.record_wait(patient, line)
            patient.called.succeed()
            yield from self.consultation(patient, line)

    def lines(self) -> list[str]:
        """The lines in which somebody waits."""
        return [line for line in LINES if self.waiting[line]]

    def next_line(self) -> str:
        """Reviews first, then booked patients, unless a walk-in has waited for too long."""
        if self.waiting[WALK_IN] and self.waited(WALK_IN) > self.p.walk_in_limit:
            return WALK_IN
        return next(line for line in (REVIEW, BOOKED, WALK_IN) if self.waiting[line])

    def waited(self, line: str) -> float:
        """Minutes for which the first of a line has waited; 0 if nobody is there."""
        return self.env.now - self.waiting[line][0].since if self.waiting[line] else 0.0

    def consultation(self, patient: Patient, line: str):
        """A patient with the doctor, who may want a blood test."""
        length = gamma(self.rng_care, self.p.consultation_mean[line], self.p.consultation_cv)
        yield self.env.timeout(length)
        self.doctor_minutes += length
        if line != REVIEW and self.rng_care.random() < self.p.blood_test[line]:
            self.env.process(self.blood_test(patient))
        else:
            patient.departure = self.env.now

    # --- figures ------------------------------------------------------------------------------

    def record_wait(self, patient: Patient, line: str) -> None:
        """Books a wait that is over, and what it costs."""
        waited = self.env.now - patient.since
        patient.waits.append(waited)
        late = line == BOOKED and waited > self.p.late_after
        self.cost += self.p.wait_weight[line] * waited + self.p.late_penalty * late

    def auditor(self):
        """Counts the waiting room at regular intervals."""
        while True:
            yield self.env.timeout(self.p.audit_interval)
            self.audit.append(sum(map(len, self.waiting.values())))

    def results(self) -> dict[str, float]:
        """The figures of the day."""
        first_waits = {
            kind: [patient.waits[0] for patient in self.patients if patient.kind == kind and patient.waits]
            for kind in (BOOKED, WALK_IN)
        }
        gone = [one for one in self.patients if one.departure is not None and not one.left_unseen]
        return {
            "attendances": float(len(self.patients)),
            "wait_booked": float(np.mean(first_waits[BOOKED])),
            "wait_walk_in": float(np.mean(first_waits[WALK_IN])),
            "p90_wait_booked": float(np.quantile(first_waits[BOOKED], 0.9)),
            "time_in_clinic": float(np.mean([one.departure - one.arrival for one in gone])),
            "left_unseen": float(sum(one.left_unseen for one in self.patients)),
            "doctor_utilisation": self.doctor_minutes / (self.n_doctors * self.p.opening_hours),
            "waiting_room": float(np.mean(self.audit)),
            "cost": self.cost,
        }


def figures(replication: int) -> dict[str, float]:
    """The figures of one day, from the number of the replication."""
    return Clinic(seed=replication).run()


def main() -> None:
    parser = argparse.ArgumentParser(description="Days of an outpatient clinic")
    parser.add_argument("--replications", type=int, default=40)
    rows = [figures(replication) for replication in range(parser.parse_args().replications)]
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        half_width = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
        print(f"{name:20s} {values.mean():9.2f} ± {half_width:.2f}")


if __name__ == "__main__":
    main()
