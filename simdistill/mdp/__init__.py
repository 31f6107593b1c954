"""Exact long-run average costs of Markov processes with decisions, by sparse linear solves.

A simulator whose observation is the Markov state offers `markov(params, size)`. The method returns a
`MarkovProcess` if decisions occur at the points of one Poisson process (the arrivals), so that arrivals see
time averages (PASTA), and a `DecisionProcess` otherwise. Policies are then evaluated without noise, and
policy iteration finds the optimum (Puterman, Markov Decision Processes, chapter 8.6; continuous time: chapter
11).
"""

from simdistill.mdp.evaluation import Evaluation, evaluate
from simdistill.mdp.model import DecisionProcess, MarkovProcess, Solvable, legal, solvable
from simdistill.mdp.policy_iteration import choice_values, optimum
from simdistill.mdp.tables import tabulate, uniform_policy
from simdistill.mdp.truncation import fitting_size

__all__ = [
    "DecisionProcess",
    "Evaluation",
    "MarkovProcess",
    "Solvable",
    "choice_values",
    "evaluate",
    "fitting_size",
    "legal",
    "optimum",
    "solvable",
    "tabulate",
    "uniform_policy",
]
