"""harbour: a small library of building blocks for simulating transhipment in a port.

Cargo arrives at the anchorage, is assigned to one of several vessels (lighters), carried to the quay,
and unloaded by cranes. What varies between ports (arrivals, disruptions, dispatching rules) is a
plug-in that is looked up by name in a registry.

>>> from harbour import Experiment
>>> Experiment(seed=1).run()["cargoes"] > 0
True
"""

from harbour.experiment import Experiment, figures
from harbour.registry import available, lookup, plugin
from harbour.settings import Settings, VesselType

__all__ = ["Experiment", "Settings", "VesselType", "available", "figures", "lookup", "plugin"]
