"""Real inputs from CSV files, and hard rules; the readers are in `simdistill.inputs.readers`."""

from simdistill.inputs.readers import (
    Empirical,
    Rates,
    Shifts,
    allowed,
    empirical,
    hourly_rates,
    shifts,
)

__all__ = ["Empirical", "Rates", "Shifts", "allowed", "empirical", "hourly_rates", "shifts"]
