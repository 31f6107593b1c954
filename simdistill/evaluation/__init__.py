"""Evaluation of all policies of a task: their costs, exact or from paired simulations."""
