"""A page of a notebook: what each choice of one decision costs."""

import clinic

import simdistill

found = simdistill.what_if(
    clinic.OneDay,
    seed=1,
    decision=20,
    policy="reviews_first",
    futures=100,
    horizon=600.0,
    until=600.0,
)
print(found.situation.state)
print("the rule:", found.taken)
print(found)
