"""Real inputs from CSV files, and hard rules; the names are those of `simdistill.simulation.inputs`."""

from simdistill.simulation.inputs import (
    Empirical,
    Rates,
    Shifts,
    allowed,
    empirical,
    hourly_rates,
    shifts,
)

__all__ = ["Empirical", "Rates", "Shifts", "allowed", "empirical", "hourly_rates", "shifts"]
