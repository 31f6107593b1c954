"""The process of the front page: what does it cost to send the next customer to the other clerk?"""

import simpy

import simdistill
from simdistill.adapt import cost_rate, decide, process_model, rng


def shop(env, arrivals_per_minute: float = 0.8):
    clerks, draws = {"Ann": simpy.Resource(env), "Bob": simpy.Resource(env)}, rng(env, "customers")

    def line():
        return {name: clerk.count + len(clerk.queue) for name, clerk in clerks.items()}

    def customer():
        clerk = yield decide(env, "Which clerk?", clerks, line)  # the only new verb
        with clerk.request() as turn:
            cost_rate(env, "waiting", sum(line().values()))
            yield turn
            yield env.timeout(draws.exponential(1.0 if clerk is clerks["Ann"] else 3.0))
        cost_rate(env, "waiting", sum(line().values()))

    while True:
        yield env.timeout(draws.exponential(1 / arrivals_per_minute))
        env.process(customer())


def shorter_line(state, choices):
    return min(choices, key=state.get)


Shop = process_model(shop, policies={"shorter_line": shorter_line})

if __name__ == "__main__":
    found = simdistill.what_if(Shop, seed=3, decision=10, policy="shorter_line", futures=200)
    print(found.situation.state)
    print(found)
