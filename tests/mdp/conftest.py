"""Processes that several tests solve."""

import numpy as np
import pytest
from scipy import sparse

from simdistill.mdp import MarkovProcess
from simdistill.simulators.queueing import Queueing


@pytest.fixture(scope="module")
def routing():
    return Queueing.markov({}, 60)


@pytest.fixture
def switch():
    """Two states; a decision at rate 3 says where to go, state 1 is left at rate 2; costs 1 and 5."""
    return MarkovProcess(
        states=[{"at": 0}, {"at": 1}],
        labels=["first", "second"],
        cost_S=np.array([1.0, 5.0]),
        passive_SS=sparse.csr_matrix(np.array([[0.0, 0.0], [2.0, 9.0]])),  # the diagonal is ignored
        decision_rate=3.0,
        next_SC=np.array([[0, 1], [0, 1]]),
        boundary_S=np.array([False, True]),
    )
