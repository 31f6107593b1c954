"""Every registered simulator keeps the contract, with its defaults and with some other parameters."""

import pytest

from simdistill import registry
from simdistill.testing import ProcessModelContract

VARIANTS = [
    ("call_center", {"absence": 0.2, "waiting_at_start": (3, 2)}),
    ("emergency_department", {"boarding_min": 120.0, "waiting_at_start": (1, 2, 3)}),
    ("inventory", {"lead_time": 3, "demand": "geometric"}),
    ("job_shop", {"breakdown_rate": 0.02}),
    ("queueing", {"service_rates": (1.0, 0.8, 0.5), "capacity": 4, "refusal_cost": 5.0}),
    ("shared_queue", {"work": {"name": "lognormal", "mean": 1.0, "cv": 1.5}}),
]


class TestEveryRegisteredSimulator(ProcessModelContract):
    @pytest.fixture(
        autouse=True,
        params=[*((name, {}) for name in registry.names("simulators")), *VARIANTS],
        ids=lambda case: "-".join((case[0], *case[1])),
    )
    def _case(self, request):
        name, self.parameters = request.param
        self.simulator = registry.load("simulators", name)
