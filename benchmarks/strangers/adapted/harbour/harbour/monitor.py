"""Time series and figures of a port."""

from __future__ import annotations

import numpy as np

from harbour.terminal import Port, Process


class Monitor:
    """Samples the port every hour, for ever."""

    def __init__(self, port: Port, interval: float = 1.0):
        self.port = port
        self.interval = interval
        self.rows: list[dict[str, float]] = []
        port.env.process(self.watch())

    def watch(self) -> Process:
        while True:
            yield self.port.env.timeout(self.interval)
            row: dict[str, float] = {"time": self.port.env.now, "cranes": self.port.cranes.count}
            row["work"] = sum(vessel.workload for vessel in self.port.vessels)
            self.rows.append(row)

    def column(self, name: str) -> np.ndarray:
        return np.array([row[name] for row in self.rows])

    def report(self) -> dict[str, float]:
        """Main figures so far."""
        port = self.port
        landed = [cargo for cargo in port.cargoes if cargo.hours is not None]
        hours = np.array([cargo.hours for cargo in landed])
        urgent = np.array([cargo.urgent for cargo in landed], dtype=bool)
        result = {
            "cargoes": float(len(port.cargoes)),
            "landed": float(len(landed)),
            "mean_hours": float(hours.mean()),
            "mean_hours_urgent": float(hours[urgent].mean()) if urgent.any() else 0.0,
            "p90_hours": float(np.quantile(hours, 0.9)),
            "mean_work": float(self.column("work").mean()),
            "crane_utilisation": port.crane_hours / (port.settings.cranes * port.env.now),
            "storm_share": port.storm_hours / port.env.now,
            "cost_a_day": sum(port.costs.values()) / (port.env.now / 24),
        }
        for vessel in port.vessels:
            result[f"trips_{vessel.kind.name}"] = float(vessel.trips)
        return result
