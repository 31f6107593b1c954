"""Who is triaged next, in the treatment centre of stars-treat-sim.

    git clone https://github.com/pythonhealthdatascience/stars-treat-sim
    python benchmarks/strangers/stars-treat-sim.py stars-treat-sim

The model serves its patients in the order of their arrival. The adapter gives each distribution a generator
of the episode, and puts a triage in its place that asks whenever patients of both kinds wait.
"""

import sys

import simpy
from public import fetched, main

sys.path.insert(0, fetched("b59fcca", "treat_sim"))
from treat_sim import model as theirs

from simdistill import adapt

WEIGHTS = {"trauma": 5.0, "other": 1.0}


class Trauma(theirs.TraumaPathway):
    def execute(self):
        self.env.active_process.kind = "trauma"
        yield from super().execute()


class Triage(simpy.Resource):
    def _trigger_put(self, get_event):
        if self.count < self.capacity and len(self.queue) > 1:
            first = {kind_of(request): request for request in reversed(self.queue)}
            chosen = adapt.choose(self._env, "Who is triaged next?", first, self.waiting)
            self.queue.remove(chosen)
            self.queue.insert(0, chosen)
        super()._trigger_put(get_event)
        adapt.cost_rate(self._env, "waiting", sum(WEIGHTS[kind_of(request)] for request in self.queue))

    def waiting(self):
        kinds = [kind_of(request) for request in self.queue]
        return {"trauma": kinds.count("trauma"), "other": kinds.count("other"), "first": kinds[0]}


def kind_of(request):
    return getattr(request.proc, "kind", "other")


def centre():
    """A day in the treatment centre."""
    theirs.TraumaPathway = Trauma
    args = theirs.Scenario()
    model = theirs.TreatmentCentreModel(args)
    for name, distribution in vars(args).items():
        if hasattr(distribution, "rng"):
            distribution.rng = adapt.rng(model.env, name)
    args.triage = Triage(model.env, args.n_triage)
    model.run()
    return theirs.SimulationSummary(model).summary_frame().iloc[0].to_dict()


def first_come(state, choices):
    return state["first"]


def trauma_first(state, choices):
    return "trauma"


Centre = adapt.process_model(centre, policies={"first_come": first_come, "trauma_first": trauma_first})


def figures(seed):
    """One replication of the original."""
    return theirs.single_run(theirs.Scenario(), random_no_set=seed).iloc[0].to_dict()


if __name__ == "__main__":
    main(__file__, decision=40, replications=1200, horizon=480)
