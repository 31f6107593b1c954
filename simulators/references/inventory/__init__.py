"""Exact costs of a single stock: the optimum, given policies, and the best policy of a kind.

Stock on hand is counted when a period's order has arrived and before the next is placed; with a lead time of
L periods, L - 1 further orders are then on the way.
"""
