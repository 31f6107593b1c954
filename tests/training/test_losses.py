"""The exact loss against closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simdistill.data.kinds.decision import soft_targets
from simdistill.models.likelihood import choice_log_probabilities
from simdistill.models.packing import TokenizedQuestion, pack
from simdistill.training.losses import Targets, terms
from simdistill.training.weights import Weights

LOG_P_QC = torch.tensor([[-1.0, -2.0, -3.0], [-0.5, -4.0, -torch.inf]], dtype=torch.float64)
TARGETS = Targets(
    hard_Q=torch.tensor([1, 0]),
    soft_QC=torch.tensor([[0.2, 0.5, 0.3], [0.6, 0.4, 0.0]], dtype=torch.float64),
    regret_QC=torch.tensor([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]], dtype=torch.float64),
)
MASK_QC = np.isfinite(LOG_P_QC.numpy())


def closed_form():
    """q, sum of p, and the four terms in numpy."""
    p_QC = np.exp(LOG_P_QC.numpy())
    mass_Q = p_QC.sum(-1)
    q_QC = p_QC / mass_Q[:, None]
    log_q_QC = np.log(np.where(MASK_QC, q_QC, 1.0))
    hard_Q = -log_q_QC[[0, 1], TARGETS.hard_Q]
    soft_Q = -(TARGETS.soft_QC.numpy() * log_q_QC).sum(-1)
    regret_Q = (q_QC * TARGETS.regret_QC.numpy()).sum(-1)
    return q_QC, {"hard_Q": hard_Q, "soft_Q": soft_Q, "regret_Q": regret_Q, "validity_Q": -np.log(mass_Q)}


def gradient(weights):
    log_p_QC = LOG_P_QC.clone().requires_grad_()
    terms(log_p_QC, TARGETS).loss_Q(weights).sum().backward()
    assert log_p_QC.grad is not None
    return log_p_QC.grad.numpy()


def test_terms_equal_the_closed_form():
    found = terms(LOG_P_QC, TARGETS)
    for name, expected_Q in closed_form()[1].items():
        np.testing.assert_allclose(getattr(found, name).numpy(), expected_Q, rtol=1e-12)
    assert found.agreement_Q.tolist() == [0.0, 1.0]


def test_loss_is_the_weighted_sum():
    _, expected = closed_form()
    loss_Q = terms(LOG_P_QC, TARGETS).loss_Q(Weights(imitation=2.0, soft=0.25, regret=0.5, validity=3.0))
    np.testing.assert_allclose(
        loss_Q.numpy(),
        2 * (0.75 * expected["hard_Q"] + 0.25 * expected["soft_Q"])
        + 0.5 * expected["regret_Q"]
        + 3 * expected["validity_Q"],
        rtol=1e-12,
    )


def test_every_term_can_be_switched_off():
    nothing = Weights(imitation=0.0, soft=0.5, regret=0.0, validity=0.0)
    assert terms(LOG_P_QC, TARGETS).loss_Q(nothing).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("term", ["hard", "soft", "regret", "validity"])
def test_gradients_equal_the_closed_form(term):
    q_QC, _ = closed_form()
    hard_QC = np.eye(3)[TARGETS.hard_Q]
    regret_QC = TARGETS.regret_QC.numpy()
    mean_Q = (q_QC * regret_QC).sum(-1, keepdims=True)
    weights, expected_QC = {
        "hard": (Weights(1, 0, 0, 0), q_QC - hard_QC),
        "soft": (Weights(1, 1, 0, 0), q_QC - TARGETS.soft_QC.numpy()),
        "regret": (Weights(0, 0, 1, 0), q_QC * (regret_QC - mean_Q)),
        "validity": (Weights(0, 0, 0, 1), -q_QC),
    }[term]
    np.testing.assert_allclose(gradient(weights), np.where(MASK_QC, expected_QC, 0.0), atol=1e-12)


def test_imitation_and_validity_of_hard_answers_are_sft():
    loss_Q = terms(LOG_P_QC, TARGETS).loss_Q(Weights(imitation=1, soft=0, regret=0, validity=1))
    np.testing.assert_allclose(loss_Q.numpy(), [2.0, 0.5], rtol=1e-12)


def test_the_regret_gradient_vanishes_when_confidently_wrong():
    log_p_QC = torch.tensor([[-60.0, 0.0]], dtype=torch.float64, requires_grad=True)
    targets = Targets(torch.tensor([0]), torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 5.0]]))
    terms(log_p_QC, targets).loss_Q(Weights(0, 0, 1, 0)).sum().backward()
    assert log_p_QC.grad is not None
    assert log_p_QC.grad.abs().max() < 1e-20


def test_choice_log_probabilities_sum_tokens_and_end():
    batch = pack([TokenizedQuestion((1, 2), ((3,), (3, 4)), 0), TokenizedQuestion((1, 5), ((4,),), 0)])
    logits_JV = torch.randn(len(batch.scored_J), 6, generator=torch.Generator().manual_seed(0))
    rows = logits_JV.log_softmax(-1)
    expected = torch.tensor(
        [
            [rows[0, 3] + rows[1, 0], rows[0, 3] + rows[1, 4] + rows[2, 0]],
            [rows[3, 4] + rows[4, 0], -torch.inf],
        ]
    )
    torch.testing.assert_close(choice_log_probabilities(logits_JV, batch), expected)


def test_soft_targets_know_their_noise():
    values_C, none_C = np.array([0.0, 2.0]), np.zeros(2)
    sure_C = soft_targets(values_C, none_C, temperature=0.5, scale=2.0)
    np.testing.assert_allclose(sure_C[0] / sure_C[1], np.exp(1.0 / 0.5))
    noisy_C = soft_targets(values_C, np.array([0.0, 2.4]), temperature=0.5, scale=2.0)
    np.testing.assert_allclose(noisy_C[0] / noisy_C[1], np.exp(1.0 / 1.3))
    np.testing.assert_allclose(noisy_C.sum(), 1.0)


@given(st.data(), st.integers(1, 4), st.integers(2, 5))
@settings(max_examples=60, deadline=None)
def test_relabelled_choices_have_the_same_loss(data, questions, choices):
    """The order of a question's choices is a name for them: no term of the loss depends on it."""
    number = st.floats(-9, 0, width=32)
    log_p_QC = torch.tensor([[data.draw(number) for _ in range(choices)] for _ in range(questions)])
    regret_QC = -torch.tensor([[data.draw(number) for _ in range(choices)] for _ in range(questions)])
    soft_QC = regret_QC.softmax(-1)
    hard_Q = torch.tensor([data.draw(st.integers(0, choices - 1)) for _ in range(questions)])
    order_QC = torch.tensor([data.draw(st.permutations(range(choices))) for _ in range(questions)])
    found = terms(log_p_QC, Targets(hard_Q, soft_QC, regret_QC))
    places_Q = (order_QC == hard_Q[:, None]).int().argmax(-1)
    relabelled = terms(
        log_p_QC.gather(1, order_QC),
        Targets(places_Q, soft_QC.gather(1, order_QC), regret_QC.gather(1, order_QC)),
    )
    for name in ("hard_Q", "soft_Q", "regret_Q", "validity_Q"):
        torch.testing.assert_close(getattr(relabelled, name), getattr(found, name), rtol=1e-5, atol=1e-5)
