"""Stroke pathway: acute ward, rehabilitation ward, early supported discharge.

Capacity model with a warm-up period and a daily audit of occupancy. The unit of time is one day.
When the acute ward is (nearly) full, the bed manager decides for each arriving patient whether to
hold the patient in the emergency department until a bed is free, or to divert to another hospital.
"""

import math
from dataclasses import dataclass

import numpy as np
import simpy
from simdistill import adapt

STROKE, TIA, OTHER = "stroke", "tia", "other"
CLASSES = (STROKE, TIA, OTHER)


# ----------------------------------------------------------------------------------------------
# distributions: each one owns its generator, so that common random numbers can be used
# ----------------------------------------------------------------------------------------------


class Distribution:
    """Base of all distributions."""

    def __init__(self, seed):
        self.rng = adapt.rng(None, f"stream {seed}")

    def sample(self, size=None):
        raise NotImplementedError


class Exponential(Distribution):
    def __init__(self, mean, seed):
        super().__init__(seed)
        self.mean = mean

    def sample(self, size=None):
        return self.rng.exponential(self.mean, size=size)


class Lognormal(Distribution):
    """Lognormal distribution, by mean and standard deviation of the variable itself."""

    def __init__(self, mean, stdev, seed):
        super().__init__(seed)
        variance = math.log(1 + (stdev / mean) ** 2)
        self.mu, self.sigma = math.log(mean) - variance / 2, math.sqrt(variance)

    def sample(self, size=None):
        return self.rng.lognormal(self.mu, self.sigma, size=size)


class Gamma(Distribution):
    def __init__(self, mean, shape, seed):
        super().__init__(seed)
        self.shape, self.scale = shape, mean / shape

    def sample(self, size=None):
        return self.rng.gamma(self.shape, self.scale, size=size)


class Discrete(Distribution):
    def __init__(self, values, frequencies, seed):
        super().__init__(seed)
        self.values = list(values)
        self.p = np.array(frequencies, dtype=float) / np.sum(frequencies)

    def sample(self, size=None):
        return self.values[int(self.rng.choice(len(self.values), p=self.p, size=size))]


# ----------------------------------------------------------------------------------------------
# scenario
# ----------------------------------------------------------------------------------------------


@dataclass
class Scenario:
    """Inputs of an experiment."""

    acute_beds: int = 10
    rehab_beds: int = 11
    arrival_gap: tuple = (1.20, 9.3, 3.6)
    acute_los: tuple = ((7.4, 8.6), (1.8, 2.3), (4.0, 5.0))
    rehab_los_mean: float = 24.0
    rehab_los_shape: float = 1.8
    transfer_probabilities: tuple = ((0.40, 0.15, 0.45), (0.01, 0.01, 0.98), (0.11, 0.05, 0.84))
    hold_cost_per_day: float = 4.0
    divert_cost: float = 5.0
    blocked_cost_per_day: float = 1.0
    divert_when_waiting: int = 2
    warm_up: float = 60.0
    collection: float = 120.0
    audit_interval: float = 1.0
    audit_time: float = 8.0 / 24.0

    def distributions(self, seed):
        """Create the sampling objects; one seed each."""
        seeds = iter(np.random.SeedSequence(seed).generate_state(20).tolist())
        arrivals = {c: Exponential(g, next(seeds)) for c, g in zip(CLASSES, self.arrival_gap, strict=True)}
        acute = {
            c: Lognormal(mean, sd, next(seeds)) for c, (mean, sd) in zip(CLASSES, self.acute_los, strict=True)
        }
        transfer = {
            c: Discrete(("rehab", "esd", "home"), p, next(seeds))
            for c, p in zip(CLASSES, self.transfer_probabilities, strict=True)
        }
        rehab = Gamma(self.rehab_los_mean, self.rehab_los_shape, next(seeds))
        return arrivals, acute, transfer, rehab


class Patient:
    def __init__(self, number, patient_class, arrival):
        self.number = number
        self.patient_class = patient_class
        self.arrival = arrival
        self.wait_acute = math.nan
        self.wait_rehab = math.nan


# ----------------------------------------------------------------------------------------------
# model
# ----------------------------------------------------------------------------------------------


class StrokePathway:
    """The pathway. Owns its environment; `run` does one replication."""

    def __init__(self, scenario: Scenario = Scenario(), seed=0):
        self.scenario = scenario
        self.env = simpy.Environment()
        self.arrival, self.acute_los, self.transfer, self.rehab_los = scenario.distributions(seed)
        self.acute = simpy.Resource(self.env, scenario.acute_beds)
        self.rehab = simpy.Resource(self.env, scenario.rehab_beds)
        self.numbers = 0
        self.reset_results()

    def reset_results(self):
        """Throw away what has been collected so far (end of the warm-up)."""
        self.patients = []
        self.audits = []
        self.costs = {"hold": 0.0, "divert": 0.0, "blocked": 0.0}
        self.arrived = 0
        self.diverted = 0

    def run(self):
        """Warm-up, then the period in which results are collected."""
        for patient_class in CLASSES:
            self.env.process(self.arrivals(patient_class))
        self.env.process(self.audit())
        self.env.run(until=self.scenario.warm_up)
        self.reset_results()
        self.env.run(until=self.scenario.warm_up + self.scenario.collection)
        return self.summary()

    def arrivals(self, patient_class):
        """Endless stream of patients of one class."""
        while True:
            yield self.env.timeout(self.arrival[patient_class].sample())
            self.numbers += 1
            self.arrived += 1
            patient = Patient(self.numbers, patient_class, self.env.now)
            self.env.process(self.acute_stay(patient))

    def waiting(self):
        """Patients held in the emergency department for an acute bed."""
        return len(self.acute.queue)

    def bed_manager(self, patient):
        """House rule: never turn a stroke away unless two are waiting; hold others while none waits."""
        if self.acute.count < self.acute.capacity:
            return "hold"
        limit = self.scenario.divert_when_waiting if patient.patient_class == STROKE else 1
        rule = "divert" if self.waiting() >= limit else "hold"
        seen = {"patient": patient.patient_class, "waiting": self.waiting(), "rule": rule}
        return adapt.choose(self.env, "Hold or divert?", ["hold", "divert"], lambda: seen)

    def acute_stay(self, patient):
        decision = self.bed_manager(patient)
        if decision == "divert":
            self.diverted += 1
            self.costs["divert"] += self.scenario.divert_cost
            adapt.charge(self.env, "divert", self.scenario.divert_cost)
            return
        self.patients.append(patient)
        with self.acute.request() as bed:
            yield bed
            patient.wait_acute = self.env.now - patient.arrival
            self.costs["hold"] += self.scenario.hold_cost_per_day * patient.wait_acute
            adapt.charge(self.env, "hold", self.scenario.hold_cost_per_day * patient.wait_acute)
            yield self.env.timeout(self.acute_los[patient.patient_class].sample())
            destination = self.transfer[patient.patient_class].sample()
            if destination == "rehab":
                # the acute bed stays blocked until a rehabilitation bed is free
                ready = self.env.now
                bed_rehab = self.rehab.request()
                yield bed_rehab
                patient.wait_rehab = self.env.now - ready
                self.costs["blocked"] += self.scenario.blocked_cost_per_day * patient.wait_rehab
                adapt.charge(self.env, "blocked", self.scenario.blocked_cost_per_day * patient.wait_rehab)
                self.env.process(self.rehab_stay(bed_rehab))

    def rehab_stay(self, bed):
        yield self.env.timeout(self.rehab_los.sample())
        self.rehab.release(bed)

    def audit(self):
        """Census at eight o'clock every morning."""
        yield self.env.timeout(self.scenario.audit_time)
        while True:
            self.audits.append(
                {
                    "day": int(self.env.now),
                    "acute": self.acute.count,
                    "held": self.waiting(),
                    "rehab": self.rehab.count,
                    "blocked": len(self.rehab.queue),
                }
            )
            yield self.env.timeout(self.scenario.audit_interval)

    def summary(self):
        """Results of the collection period."""
        waits = [p.wait_acute for p in self.patients if not math.isnan(p.wait_acute)]
        rehab_waits = [p.wait_rehab for p in self.patients if not math.isnan(p.wait_rehab)]
        return {
            "arrivals": float(self.arrived),
            "diverted": float(self.diverted),
            "mean_wait_acute": float(np.mean(waits)) if waits else 0.0,
            "p_delay": float(np.mean([w > 1e-9 for w in waits])) if waits else 0.0,
            "mean_wait_rehab": float(np.mean(rehab_waits)) if rehab_waits else 0.0,
            "acute_occupancy": float(np.mean([row["acute"] for row in self.audits])),
            "rehab_occupancy": float(np.mean([row["rehab"] for row in self.audits])),
            "mean_held": float(np.mean([row["held"] for row in self.audits])),
            "cost_per_day": sum(self.costs.values()) / self.scenario.collection,
        }


def house_rule(state, choices):
    return state["rule"]


Stroke = adapt.process_model(StrokePathway, start="run", chooses=True, policies={"house_rule": house_rule})
