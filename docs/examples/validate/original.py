"""Runs the original once and says what it came to."""

import random

import bank_simpy


def figures(replication):
    random.seed(replication)
    bank = bank_simpy.run()
    return {"time in bank": sum(bank.times) / len(bank.times), "served": bank.served}
