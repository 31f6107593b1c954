"""Settings of a port."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class VesselType:
    """A vessel: its speed, its fuel, and whether it needs high water."""

    name: str
    sailing_hours: float
    fuel_cost: float
    deep: bool = False
    unloading_factor: float = 1.0


FLEET = (
    VesselType("swift", sailing_hours=0.7, fuel_cost=60.0),
    VesselType("sturdy", sailing_hours=1.2, fuel_cost=25.0),
    VesselType("giant", sailing_hours=1.4, fuel_cost=30.0, deep=True, unloading_factor=0.6),
)


@dataclass(frozen=True)
class Settings:
    """What an experiment needs to know. All times are in hours, weights in tonnes."""

    fleet: tuple[VesselType, ...] = FLEET
    cranes: int = 2
    arrivals: str = "batches"
    dispatch: str = "shortest_queue"
    disruptions: tuple[str, ...] = ("storms", "tides")
    horizon: float = 240.0
    consignments_gap: float = 4.4
    consignment_sizes: tuple[int, int] = (1, 3)
    tonnes_mean: float = 300.0
    tonnes_shape: float = 4.0
    tonnes_an_hour: float = 110.0
    delay_cost: tuple[float, ...] = (4.0, 15.0)
    urgent_share: float = 0.25
    storm_gap: float = 60.0
    storm_hours: tuple[float, float] = (3.0, 9.0)
    high_water_every: float = 12.4
    high_water_lasts: float = 7.0
