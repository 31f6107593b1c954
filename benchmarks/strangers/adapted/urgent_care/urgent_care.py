"""Urgent treatment centre: one terminating day, time-dependent arrivals, six resources.

Patients book in at reception, are triaged, and are then seen either by a doctor or, for minor
complaints, by a nurse practitioner on the fast track. Some need imaging, some a procedure in a
cubicle. Patients with minor complaints leave if they are not seen within their patience.

Arrivals follow a non-stationary Poisson process, sampled by thinning (Lewis and Shedler 1979).
All times are in minutes from opening.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import simpy
from simdistill import adapt

ARRIVALS_PER_HOUR = (8, 11, 15, 18, 17, 14, 13, 13, 15, 16, 11, 6)
EMERGENCY, URGENT, STANDARD, MINOR = 2, 3, 4, 5
ROUTES = ["fast_track", "doctor"]


def lognormal_moments(mean: float, sd: float) -> tuple[float, float]:
    """Parameters mu and sigma of the underlying normal from mean and standard deviation."""
    sigma2 = np.log(1 + (sd / mean) ** 2)
    return float(np.log(mean) - sigma2 / 2), float(np.sqrt(sigma2))


@dataclass
class Parameters:
    """Everything that can be varied between experiments."""

    n_reception: int = 2
    n_triage: int = 2
    n_doctors: int = 3
    n_nurses: int = 2
    n_imaging: int = 1
    n_cubicles: int = 3

    arrivals_per_hour: tuple[float, ...] = ARRIVALS_PER_HOUR
    acuity_mix: dict[int, float] = field(
        default_factory=lambda: {EMERGENCY: 0.10, URGENT: 0.30, STANDARD: 0.40, MINOR: 0.20}
    )
    reception_mean: float = 3.0
    triage_shape: float = 3.0
    triage_scale: float = 2.0
    doctor_mean: dict[int, float] = field(
        default_factory=lambda: {EMERGENCY: 25.0, URGENT: 17.0, STANDARD: 13.0, MINOR: 10.0}
    )
    doctor_cv: float = 0.6
    nurse_mean: float = 19.0
    nurse_cv: float = 0.5
    p_referral: float = 0.15
    p_imaging: float = 0.25
    imaging_range: tuple[float, float] = (6.0, 12.0)
    p_procedure: dict[int, float] = field(
        default_factory=lambda: {EMERGENCY: 0.60, URGENT: 0.45, STANDARD: 0.30, MINOR: 0.15}
    )
    procedure_min_mode_max: tuple[float, float, float] = (10.0, 25.0, 55.0)
    patience_shape: float = 1.5
    patience_scale: float = 180.0
    break_every: float = 180.0
    break_length: float = 15.0
    opening: float = 720.0
    closing: float = 960.0
    audit_interval: float = 15.0
    wait_weight: dict[int, float] = field(
        default_factory=lambda: {EMERGENCY: 4.0, URGENT: 2.0, STANDARD: 1.0, MINOR: 1.0}
    )
    lwbs_penalty: float = 60.0


class Patient:
    """One attendance."""

    def __init__(self, number: int, acuity: int, arrival: float):
        self.number = number
        self.acuity = acuity
        self.arrival = arrival
        self.wait = 0.0
        self.route = ""
        self.left_unseen = False
        self.departure: float | None = None

    @property
    def is_low_acuity(self) -> bool:
        return self.acuity >= STANDARD


class UrgentCare:
    """Model of the centre; takes the environment that it lives in."""

    def __init__(self, env: simpy.Environment, params: Parameters, seed: int):
        self.env = env
        self.p = params
        streams = [adapt.rng(env, f"stream {number}") for number in range(8)]
        self.rng_arrival, self.rng_thinning, self.rng_acuity, self.rng_desk = streams[:4]
        self.rng_doctor, self.rng_nurse, self.rng_pathway, self.rng_patience = streams[4:]

        self.reception = simpy.Resource(env, params.n_reception)
        self.triage = simpy.PriorityResource(env, params.n_triage)
        self.doctors = simpy.PriorityResource(env, params.n_doctors)
        self.nurses = simpy.Resource(env, params.n_nurses)
        self.imaging = simpy.PriorityResource(env, params.n_imaging)
        self.cubicles = simpy.PriorityResource(env, params.n_cubicles)

        self.patients: list[Patient] = []
        self.in_centre = 0
        self.cost = 0.0
        self.doctor_minutes = 0.0
        self.nurse_minutes = 0.0
        self.audit: dict[str, list[float]] = {"time": [], "doctor_queue": [], "nurse_queue": [], "census": []}

        env.process(self.arrivals())
        env.process(self.auditor())
        for doctor in range(params.n_doctors):
            env.process(self.breaks(first=60.0 * (doctor + 2)))

    # --- arrivals ---------------------------------------------------------------------------

    def arrivals(self):
        """Generate patients by thinning a Poisson process at the peak rate."""
        rates = np.asarray(self.p.arrivals_per_hour) / 60.0
        peak = rates.max()
        acuities = list(self.p.acuity_mix)
        weights = list(self.p.acuity_mix.values())
        for number in itertools.count():
            u, rate = np.inf, 0.0
            while u >= rate / peak:
                yield self.env.timeout(self.rng_arrival.exponential(1 / peak))
                if self.env.now >= self.p.opening:
                    return
                rate = rates[int(self.env.now // 60)]
                u = self.rng_thinning.random()
            patient = Patient(number, int(self.rng_acuity.choice(acuities, p=weights)), self.env.now)
            self.patients.append(patient)
            self.env.process(self.pathway(patient))

    # --- the patient's pathway --------------------------------------------------------------

    def pathway(self, patient: Patient):
        """From the door to discharge."""
        self.in_centre += 1
        yield from self.book_in(patient)
        if patient.is_low_acuity:
            patient.route = yield adapt.decide(self.env, "Who sees the patient?", ROUTES, self.loads)
        else:
            patient.route = "doctor"
        if patient.route == "fast_track":
            yield from self.see_nurse(patient)
            if not patient.left_unseen and self.rng_pathway.random() < self.p.p_referral:
                yield from self.see_doctor(patient, may_leave=False)
        else:
            yield from self.see_doctor(patient, may_leave=patient.is_low_acuity)
        if not patient.left_unseen:
            yield from self.after_care(patient)
        patient.departure = self.env.now
        self.in_centre -= 1

    def book_in(self, patient: Patient):
        """Reception and triage."""
        with self.reception.request() as req:
            yield req
            yield self.env.timeout(self.rng_desk.exponential(self.p.reception_mean))
        priority = 0 if patient.acuity == EMERGENCY else 1
        with self.triage.request(priority=priority) as req:
            yield req
            yield self.env.timeout(self.rng_desk.gamma(self.p.triage_shape, self.p.triage_scale))

    def loads(self) -> dict[str, float]:
        """Patients with and waiting for each kind of staff, per head."""
        nurse_load = (len(self.nurses.queue) + self.nurses.count) / self.nurses.capacity
        doctor_load = (len(self.doctors.queue) + self.doctors.count) / self.doctors.capacity
        return {"nurses": nurse_load, "doctors": doctor_load}

    def see_doctor(self, patient: Patient, may_leave: bool):
        """Wait for a doctor by acuity; minor complaints may leave before being seen."""
        start = self.env.now
        with self.doctors.request(priority=patient.acuity) as req:
            if may_leave:
                patience = self.p.patience_scale * self.rng_patience.weibull(self.p.patience_shape)
                outcome = yield req | self.env.timeout(patience)
                if req not in outcome:
                    self.leave_unseen(patient, start)
                    return
            else:
                yield req
            self.record_wait(patient, start)
            mu, sigma = lognormal_moments(
                self.p.doctor_mean[patient.acuity], self.p.doctor_cv * self.p.doctor_mean[patient.acuity]
            )
            consultation = self.rng_doctor.lognormal(mu, sigma)
            yield self.env.timeout(consultation)
            self.doctor_minutes += consultation

    def see_nurse(self, patient: Patient):
        """First come, first served on the fast track."""
        start = self.env.now
        with self.nurses.request() as req:
            patience = self.p.patience_scale * self.rng_patience.weibull(self.p.patience_shape)
            outcome = yield req | self.env.timeout(patience)
            if req not in outcome:
                self.leave_unseen(patient, start)
                return
            self.record_wait(patient, start)
            mu, sigma = lognormal_moments(self.p.nurse_mean, self.p.nurse_cv * self.p.nurse_mean)
            consultation = self.rng_nurse.lognormal(mu, sigma)
            yield self.env.timeout(consultation)
            self.nurse_minutes += consultation

    def after_care(self, patient: Patient):
        """Imaging and procedures."""
        if self.rng_pathway.random() < self.p.p_imaging:
            with self.imaging.request(priority=patient.acuity) as req:
                yield req
                yield self.env.timeout(self.rng_pathway.uniform(*self.p.imaging_range))
        if self.rng_pathway.random() < self.p.p_procedure[patient.acuity]:
            with self.cubicles.request(priority=patient.acuity) as req:
                yield req
                yield self.env.timeout(self.rng_pathway.triangular(*self.p.procedure_min_mode_max))

    # --- bookkeeping ------------------------------------------------------------------------

    def record_wait(self, patient: Patient, start: float) -> None:
        waited = self.env.now - start
        patient.wait += waited
        self.cost += self.p.wait_weight[patient.acuity] * waited
        adapt.charge(self.env, "waiting", self.p.wait_weight[patient.acuity] * waited)

    def leave_unseen(self, patient: Patient, start: float) -> None:
        self.record_wait(patient, start)
        patient.left_unseen = True
        self.cost += self.p.lwbs_penalty
        adapt.charge(self.env, "left unseen", self.p.lwbs_penalty)

    def breaks(self, first: float):
        """A doctor's breaks: taken before the next patient, never during a consultation."""
        yield self.env.timeout(first)
        while True:
            with self.doctors.request(priority=0) as req:
                yield req
                yield self.env.timeout(self.p.break_length)
            yield self.env.timeout(self.p.break_every)

    def auditor(self):
        """Sample the queues at regular intervals, for ever."""
        while True:
            yield self.env.timeout(self.p.audit_interval)
            self.audit["time"].append(self.env.now)
            self.audit["doctor_queue"].append(len(self.doctors.queue))
            self.audit["nurse_queue"].append(len(self.nurses.queue))
            self.audit["census"].append(self.in_centre)

    def results(self) -> dict[str, float]:
        """Main figures of the day."""
        left = [
            patient.departure - patient.arrival for patient in self.patients if patient.departure is not None
        ]
        waits = np.array([patient.wait for patient in self.patients])
        return {
            "attendances": float(len(self.patients)),
            "mean_wait": float(waits.mean()),
            "p95_wait": float(np.quantile(waits, 0.95)),
            "mean_time_in_centre": float(np.mean(left)),
            "left_unseen": float(sum(patient.left_unseen for patient in self.patients)),
            "fast_track_share": float(np.mean([patient.route == "fast_track" for patient in self.patients])),
            "doctor_utilisation": self.doctor_minutes / (self.p.n_doctors * self.p.opening),
            "nurse_utilisation": self.nurse_minutes / (self.p.n_nurses * self.p.opening),
            "mean_census": float(np.mean(self.audit["census"])),
            "cost": self.cost,
        }


def day(env):
    """One day."""
    adapt.figures(env, UrgentCare(env, Parameters(), seed=0).results)


def less_loaded(state, choices):
    return "fast_track" if state["nurses"] <= state["doctors"] else "doctor"


Day = adapt.process_model(day, policies={"less_loaded": less_loaded})
