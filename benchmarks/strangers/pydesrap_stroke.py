"""Rehabilitation or supported discharge, in the stroke pathway of pydesrap_stroke.

    git clone https://github.com/pythonhealthdatascience/pydesrap_stroke
    pip install sim-tools==0.10.0 joblib
    python benchmarks/strangers/pydesrap_stroke.py pydesrap_stroke

Stroke patients for whom the model draws rehabilitation may be sent home with early supported discharge, which
costs something, while beds beyond nine cost something, too. The original's rule sends nobody home.
"""

import sys
from importlib import import_module
from typing import Any

from public import fetched, main

from simdistill import adapt

sys.path.insert(0, fetched("9bccaf7", "simulation", "inputs", python_312=True))
theirs: Any = import_module("simulation")

BEDS, DISCHARGE_COST = 9, 10.0


class Pathway(theirs.Model):
    occupied = 0

    @property
    def rehab_occupancy(self):
        return self.occupied

    @rehab_occupancy.setter
    def rehab_occupancy(self, patients):
        self.occupied = patients
        adapt.cost_rate(self.env, "beds beyond", max(0, patients - BEDS))

    def occupancy(self):
        return {"stroke_unit": self.asu_occupancy, "rehabilitation": self.rehab_occupancy}


class Routing:
    def __init__(self, model, drawn):
        self.model, self.drawn = model, drawn

    def sample(self):
        destination = self.drawn.sample()
        if destination == "rehab":
            choices, env = ["rehab", "esd"], self.model.env
            destination = adapt.choose(env, "Where does this patient go?", choices, self.model.occupancy)
            adapt.charge(env, "discharge", DISCHARGE_COST if destination == "esd" else 0.0)
        return destination


def pathway(warm_up_days: int = 60, days: int = 180):
    """Half a year of the stroke unit and the rehabilitation unit."""
    model = Pathway(theirs.Param(warm_up_period=warm_up_days, data_collection_period=days), 0)
    for kind, units in model.dist.items():
        for unit, patients in units.items():
            for patient, distribution in patients.items():
                distribution.rng = adapt.rng(model.env, f"{kind} {unit} {patient}")
    model.dist["routing"]["asu"]["stroke"] = Routing(model, model.dist["routing"]["asu"]["stroke"])
    model.run()
    return of(model)


def as_drawn(state, choices):
    return "rehab"


def within_beds(state, choices):
    return "rehab" if state["rehabilitation"] < BEDS else "esd"


StrokePathway = adapt.process_model(pathway, policies={"as_drawn": as_drawn, "within_beds": within_beds})


def of(model):
    """Returns what a replication came to."""
    kinds = [patient.patient_type for patient in model.patients]
    audits = model.audit_list
    return {
        "patients": len(kinds),
        "stroke patients": kinds.count("stroke"),
        "to rehabilitation": sum(patient.rehab_arrival_time > 0 for patient in model.patients),
        "in stroke unit": sum(audit["asu_occupancy"] for audit in audits) / len(audits),
        "in rehabilitation": sum(audit["rehab_occupancy"] for audit in audits) / len(audits),
    }


def figures(seed):
    """One replication of the original."""
    model = theirs.Model(theirs.Param(warm_up_period=60, data_collection_period=180), seed)
    model.run()
    return of(model)


if __name__ == "__main__":
    main(__file__, decision=30, replications=400)
