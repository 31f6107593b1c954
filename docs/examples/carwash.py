"""
Carwash example.

Covers:

- Waiting for other processes
- Resources: Resource

Scenario:
  A carwash has a limited number of washing machines and defines
  a washing processes that takes some (random) time.

  Car processes arrive at the carwash at a random time. If one washing
  machine is available, they start the washing process and wait for it
  to finish. If not, they wait until they can use one.

"""

import itertools

import simpy
from simdistill import uniform
from simdistill.adapt import charge, cost_rate, decide, duration, fingerprint, process_model

# fmt: off
RANDOM_SEED = 42
NUM_MACHINES = 2  # Number of machines in the carwash
WASHTIME = 5      # Minutes it takes to clean a car
T_INTER = 7       # Create a car every ~7 minutes
SIM_TIME = 20     # Simulation time in minutes
# fmt: on


class Carwash:
    """A carwash has a limited number of machines (``NUM_MACHINES``) to
    clean cars in parallel.

    Cars have to request one of the machines. When they got one, they
    can start the washing processes and wait for it to finish (which
    takes ``washtime`` minutes).

    """

    def __init__(self, env, num_machines, washtime):
        self.env = env
        self.machine = simpy.Resource(env, num_machines)
        self.washtime = washtime
        self.until = 0.0  # when the wash that began last is over

    def wash(self, car):
        """The washing processes. It takes a ``car`` processes and tries
        to clean it."""
        share = yield decide(self.env, 'Which wash?', {'full': 1.0, 'quick': 0.5}, self.state)
        self.until = self.env.now + self.washtime * share
        yield self.env.timeout(self.washtime * share)
        charge(self.env, 'dirt left', 8 * (1 - share))

    def state(self):
        other = round(max(0.0, self.until - self.env.now), 1)
        return {'washtime': self.washtime, 'waiting': len(self.machine.queue), 'other_machine': other}


def car(env, name, cw):
    """The car process (each car has a ``name``) arrives at the carwash
    (``cw``) and requests a cleaning machine.

    It then starts the washing process, waits for it to finish and
    leaves to never come back ...

    """
    with cw.machine.request() as request:
        cost_rate(env, 'waiting', len(cw.machine.queue))
        yield request

        cost_rate(env, 'waiting', len(cw.machine.queue))
        yield env.process(cw.wash(name))


def setup(env, num_machines=NUM_MACHINES, washtime=WASHTIME, t_inter=T_INTER):
    """Create a carwash, a number of initial cars and keep creating cars
    approx. every ``t_inter`` minutes."""
    # Create the carwash
    carwash = Carwash(env, num_machines, washtime)
    fingerprint(env, lambda: (carwash.until, carwash.machine.count, len(carwash.machine.queue)))

    car_count = itertools.count()

    # Create 4 initial cars
    for _ in range(4):
        env.process(car(env, f'Car {next(car_count)}', carwash))

    # Create more cars while the simulation is running
    for number in car_count:
        yield duration(env, 'arrival', number, uniform(t_inter - 2, t_inter + 2))
        env.process(car(env, f'Car {number}', carwash))


def quick_if_waiting(state, choices):
    return 'quick' if state['waiting'] else 'full'


CarWash = process_model(setup, policies={'quick_if_waiting': quick_if_waiting})
