"""A bank with two clerks: customers join the shorter line. Plain SimPy, as somebody wrote it long ago."""

import random

import simpy

ARRIVAL_RATE = 1.2  # customers a minute
SERVICE_TIME = 1.0  # minutes
DAY = 480.0


class Bank:
    def __init__(self, env):
        self.env = env
        self.clerks = [simpy.Resource(env), simpy.Resource(env)]
        self.times = []  # each customer's time in the bank
        self.served = 0

    def arrivals(self):
        while True:
            yield self.env.timeout(random.expovariate(ARRIVAL_RATE))
            self.env.process(self.customer())

    def customer(self):
        arrived = self.env.now
        clerk = min(self.clerks, key=lambda clerk: clerk.count + len(clerk.queue))
        with clerk.request() as turn:
            yield turn
            yield self.env.timeout(random.expovariate(1 / SERVICE_TIME))
        self.times.append(self.env.now - arrived)
        self.served += 1
        print(f"{self.env.now:.2f}: customer {self.served} leaves")


def run():
    env = simpy.Environment()
    bank = Bank(env)
    env.process(bank.arrivals())
    env.run(until=DAY)
    return bank


if __name__ == "__main__":
    print(run().served)
