"""An emergency department: which patient is seen next when a clinician is free.

An example: an hour's wait costs 8 for a patient of acuity 1, who takes 45 minutes, and 2 for one of acuity 3,
who takes 10. Acuity first sees the former, the c-mu rule the latter: in 45 minutes it sees four of them. With
boarders in the beds it may be the time in a bed that counts, and not that with a clinician.
"""

import itertools
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from simdistill.simulation import (
    Decision,
    Experiment,
    Forecast,
    KnownCase,
    Parameters,
    Policy,
    ProcessModel,
    exponential,
    uniform,
)
from simdistill.simulation.distributions import piecewise_exponential

HOUR = 60.0


def most(index: Callable[[dict, int], float]) -> Policy:
    """Returns the policy that chooses the acuity with the largest index; ties go to the most urgent one."""
    return partial(_most, index)


def _most(index: Callable[[dict, int], float], state: dict, choices: Sequence[str]) -> str:
    return max(choices, key=lambda label: index(state, int(label) - 1))


def urgency(state: dict, acuity: int) -> float:
    return -acuity


def wait(state: dict, acuity: int) -> float:
    return state["longest_wait"][acuity]


def cost_over_treatment(state: dict, acuity: int) -> float:
    """Returns the index of the c-mu rule: waiting cost over mean treatment time."""
    return state["weights"][acuity] / state["treatment_min"][acuity]


def cost_over_bed_time(state: dict, acuity: int) -> float:
    """Returns the index of the c-mu rule for beds: waiting cost over mean time in a bed, with boarding."""
    boarding = state["share_admitted"][acuity] * state["boarding_min"]
    return state["weights"][acuity] / (state["treatment_min"][acuity] + boarding)


def accumulated(state: dict, acuity: int) -> float:
    """Returns a priority that grows with the wait, faster for urgent acuities (Stanford et al., 2014)."""
    return state["weights"][acuity] * state["longest_wait"][acuity]


class EmergencyDepartment(ProcessModel):
    """Patients of several acuities wait for a clinician and a bed, and may then board until a ward has room.

    Time is in minutes. Acuity 1 is the most urgent; within an acuity patients are seen in order of arrival.
    """

    decides_at = "end"

    class Params(Parameters):
        arrivals_per_hour: tuple[PositiveFloat, ...] = Field(
            (1.0, 3.0, 4.0), min_length=1, max_length=5, description="patients per hour, per acuity"
        )
        profile: tuple[NonNegativeFloat, ...] = Field(
            (1.0,),
            min_length=1,
            description="multiplies arrivals in the first, second, … hour, over and over",
        )
        treatment_min: tuple[PositiveFloat, ...] = Field((45.0, 30.0, 10.0), description="mean, per acuity")
        weights: tuple[NonNegativeFloat, ...] = Field(
            (8.0, 4.0, 2.0), description="cost of an hour's wait, per acuity"
        )
        clinicians: PositiveInt = 4
        beds: PositiveInt | None = Field(8, description="for treatment and boarding; None: enough")
        share_admitted: tuple[float, ...] = Field((0.5, 0.2, 0.05), description="to a ward, per acuity")
        boarding_min: NonNegativeFloat = Field(120.0, description="mean wait for the ward, in a bed")
        boarding_cost: NonNegativeFloat = Field(1.0, description="of a boarder's hour")
        waiting_at_start: tuple[NonNegativeInt, ...] = Field(
            (), description="patients waiting at time 0, per acuity; none if left out"
        )

        @model_validator(mode="after")
        def _one_number_per_acuity(self):
            count = len(self.arrivals_per_hour)
            for name in ("treatment_min", "weights", "share_admitted", "waiting_at_start"):
                numbers = getattr(self, name)
                if len(numbers) != count and (numbers or name != "waiting_at_start"):
                    raise ValueError(f"{name} has {len(numbers)} numbers for {count} acuities")
            if not all(0 <= share <= 1 for share in self.share_admitted):
                raise ValueError(f"share_admitted must lie between 0 and 1, got {self.share_admitted}")
            if not any(self.profile):
                raise ValueError(f"profile must have a positive number, got {self.profile}")
            return self

        @property
        def load(self) -> float:
            """Average load of clinicians or of beds, whichever is larger."""
            mean = sum(self.profile) / len(self.profile) / HOUR
            patients = list(zip(self.arrivals_per_hour, self.treatment_min, self.share_admitted, strict=True))
            treated = mean * sum(rate * treatment for rate, treatment, _ in patients)
            boarding = mean * sum(rate * share for rate, _, share in patients) * self.boarding_min
            return max(treated / self.clinicians, (treated + boarding) / self.beds if self.beds else 0.0)

    policies: ClassVar[Mapping[str, Policy]] = {
        "acuity_first": most(urgency),
        "longest_wait": most(wait),
        "c_mu": most(cost_over_treatment),
        "c_mu_beds": most(cost_over_bed_time),
        "accumulating_priority": most(accumulated),
    }
    forecasts = (
        Forecast(
            "How many patients are in the waiting room in 60 minutes?", "waiting_room", 60.0, (2, 5, 10)
        ),
    )
    families = ("emergency_department",)

    @property
    def max_choices(self) -> int:
        return len(self.params.arrivals_per_hour)

    def build(self):
        self.waiting: list[OrderedDict[int, float]] = [OrderedDict() for _ in self.params.weights]
        self.treated: dict[tuple[int, int], float] = {}  # acuity and patient -> since when
        self.boarders: dict[tuple[int, int], float] = {}
        self.woken = self.env.event()
        for acuity, patients in enumerate(self.params.waiting_at_start):
            self.waiting[acuity].update((patient, 0.0) for patient in range(-patients, 0))
        self.changed()
        for acuity in range(len(self.waiting)):
            self.env.process(self.arrivals(acuity))
        self.env.process(self.triage())

    def arrivals(self, acuity: int):
        rates = tuple(self.params.arrivals_per_hour[acuity] * part / HOUR for part in self.params.profile)
        for patient in itertools.count():
            between = piecewise_exponential(rates, HOUR, self.env.now)
            yield self.duration(f"arrival of acuity {acuity + 1}", patient, between)
            self.waiting[acuity][patient] = self.env.now
            self.tally("arrived", 1)
            self.log("arrival", patient=f"{acuity + 1}-{patient}")
            self.changed()

    def triage(self):
        while True:
            if self.ready() and any(self.waiting):
                acuity = yield self.decide("Which acuity is seen next?", self.present)
                self.env.process(self.treat(acuity, *self.call(acuity)))
            else:
                self.woken = self.env.event()
                yield self.woken

    def ready(self) -> bool:
        """Returns whether there are a free clinician and a free bed."""
        free_bed = self.params.beds is None or self.occupied() < self.params.beds
        return free_bed and len(self.treated) < self.params.clinicians

    def occupied(self) -> int:
        return len(self.treated) + len(self.boarders)

    def present(self) -> dict[str, int]:
        return {str(acuity + 1): acuity for acuity, waiting in enumerate(self.waiting) if waiting}

    def call(self, acuity: int) -> tuple[int, float]:
        """Sends the longest-waiting patient of an acuity to a clinician; returns patient and arrival time."""
        patient, came = self.waiting[acuity].popitem(last=False)
        self.treated[acuity, patient] = self.env.now
        self.tally(f"wait_{acuity + 1}_min", self.env.now - came)
        self.log("treatment", patient=f"{acuity + 1}-{patient}")
        self.changed()
        return patient, came

    def treat(self, acuity: int, patient: int, came: float):
        name, params = f"acuity {acuity + 1}", self.params
        yield self.duration(f"treatment of {name}", patient, exponential(params.treatment_min[acuity]))
        del self.treated[acuity, patient]
        admitted = (
            self.draw(f"admission of {name}", patient, uniform(0.0, 1.0)) < params.share_admitted[acuity]
        )
        if admitted and params.boarding_min:
            self.log("boarding", patient=f"{acuity + 1}-{patient}")
            self.boarders[acuity, patient] = self.env.now
            self.changed()
            yield self.duration(f"boarding of {name}", patient, exponential(params.boarding_min))
            del self.boarders[acuity, patient]
        self.tally("time_in_system", self.env.now - came)
        self.log("departure", patient=f"{acuity + 1}-{patient}")
        self.changed()

    def changed(self):
        params = self.params
        waiting = sum(w * len(patients) for w, patients in zip(params.weights, self.waiting, strict=True))
        self.cost_rate("waiting", waiting / HOUR)
        self.cost_rate("boarding", params.boarding_cost * len(self.boarders) / HOUR)
        in_room = sum(map(len, self.waiting))
        self.level("waiting_room", in_room)
        self.level("in_system", in_room + self.occupied())
        self.level("clinicians_busy", len(self.treated))
        if not self.woken.triggered:
            self.woken.succeed()

    def observe(self, decision: Decision) -> dict:
        params, now = self.params, self.env.now
        hour = int(now // HOUR)
        part = params.profile[hour % len(params.profile)]
        return {
            "hour": hour % 24,
            "arrivals_per_hour": [round(rate * part, 1) for rate in params.arrivals_per_hour],
            "treatment_min": list(params.treatment_min),
            "weights": list(params.weights),
            "share_admitted": list(params.share_admitted),
            "boarding_min": params.boarding_min,
            "waiting": [len(patients) for patients in self.waiting],
            "longest_wait": [round(now - next(iter(p.values()), now)) for p in self.waiting],
            "clinicians": params.clinicians,
            "clinicians_free": params.clinicians - len(self.treated),
            "beds": params.beds or 0,
            "beds_occupied": self.occupied(),
            "boarders": len(self.boarders),
        }

    def fingerprint(self):
        return (
            tuple(tuple(patients) for patients in self.waiting),
            frozenset(self.treated.items()),
            frozenset(self.boarders.items()),
        )

    @classmethod
    def experiment(cls, case: KnownCase) -> Experiment:
        from simdistill.simulators.references.emergency_department import experiment

        return experiment(case)
