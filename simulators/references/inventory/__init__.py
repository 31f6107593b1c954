"""Exact costs of a single stock: of the optimum, of given policies, and of the best policy of each kind.

Stock on hand is counted after an order has arrived and before the next one is placed; with a lead time of L
periods, L - 1 further orders are then on the way.
"""
