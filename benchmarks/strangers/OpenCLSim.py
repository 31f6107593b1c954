"""How full a hopper is loaded, in a dredging project of OpenCLSim.

    git clone https://github.com/TUDelft-CITG/OpenCLSim
    pip install shapely pyproj plotly deprecated
    python benchmarks/strangers/OpenCLSim.py OpenCLSim

OpenCLSim is a library; the project is put together here: a hopper sails between a borrow area and a
reclamation until the latter is full. The library loads what fits. The adapter asks how much it is, in a
loading function of its own, as the last part of a load takes the longest.
"""

import sys
from pathlib import Path

import numpy as np
import simpy
from public import fetched, main

sys.path.insert(0, str(Path(fetched("d9282c6", "src")) / "src"))
import shapely.geometry
from openclsim import core, model

from simdistill import adapt

HOPPER, PROJECT = 4000.0, 40_000.0
"""Cubic metres of a full load, and of the reclamation."""


class Site(core.Identifiable, core.Log, core.Locatable, core.HasContainer, core.HasResource):
    pass


class Hopper(
    core.Identifiable,
    core.ContainerDependentMovable,
    core.Processor,
    core.HasResource,
    core.HasContainer,
    core.LoadingFunction,
    core.UnloadingFunction,
):
    """A hopper that loads what fits."""

    def __init__(self, loading, sailing, **named):
        self.pace, self.wind = loading, sailing
        super().__init__(compute_v=lambda fill: (6.0 - 2.0 * fill) * self.wind.uniform(0.7, 1.0), **named)

    def loading(self, origin, destination, amount, id_="default"):
        fill = amount / HOPPER
        return 3600.0 * (fill + 3.0 * max(0.0, fill - 0.7)) * self.pace.lognormal(0.0, 0.3), amount


class AskingHopper(Hopper):
    """A hopper that asks how much it loads."""

    def loading(self, origin, destination, amount, id_="default"):
        state = {"left": float(origin.container.get_level()), "fits": float(amount)}
        loads = {"all": 1.0, "85%": 0.85, "70%": 0.7}
        share = adapt.choose(self.env, "Load how much?", loads, lambda: state)
        return super().loading(origin, destination, round(share * amount), id_)


def project(env):
    """The project until the reclamation is full."""
    adapt.cost_rate(env, "hours", 1 / 3600)
    build(env, AskingHopper, adapt.rng(env, "loading"), adapt.rng(env, "sailing"))


def all_that_fits(state, choices):
    return "all"


def most(state, choices):
    return "85%"


Project = adapt.process_model(
    project, max_choices=3, chooses=True, policies={"all_that_fits": all_that_fits, "most": most}
)


def build(env, kind, loading, sailing):
    """Puts the project together."""
    here, there = shapely.geometry.Point(4.0, 52.0), shapely.geometry.Point(4.1, 52.1)
    common = {"env": env, "registry": {}}
    borrow = Site(env=env, name="borrow", geometry=here, capacity=PROJECT, level=PROJECT)
    fill = Site(env=env, name="fill", geometry=there, capacity=PROJECT)
    hopper = kind(
        loading,
        sailing,
        env=env,
        name="hopper",
        geometry=here,
        capacity=HOPPER,
        loading_rate=1,
        unloading_rate=2,
    )
    trip = [
        model.MoveActivity(name="back", mover=hopper, destination=borrow, **common),
        model.ShiftAmountActivity(
            name="load", processor=hopper, origin=borrow, destination=hopper, phase="loading", **common
        ),
        model.MoveActivity(name="out", mover=hopper, destination=fill, **common),
        model.ShiftAmountActivity(
            name="dump", processor=hopper, origin=hopper, destination=fill, phase="unloading", **common
        ),
    ]
    cycle = model.SequentialActivity(name="cycle", sub_processes=trip, **common)
    full = [{"type": "container", "concept": fill, "state": "full"}]
    whole = model.WhileActivity(name="whole", sub_processes=[cycle], condition_event=full, **common)
    model.register_processes([whole])
    return hopper


def figures(seed):
    """One replication of the original."""
    env, loading, sailing = simpy.Environment(), *np.random.default_rng(seed).spawn(2)
    build(env, Hopper, loading, sailing)
    env.run()
    return {"hours_total": env.now / 3600}


if __name__ == "__main__":
    main(__file__, decision=5, replications=200, horizon=100_000)
