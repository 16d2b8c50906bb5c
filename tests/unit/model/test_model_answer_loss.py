"""The loss made a few rows at a time is the whole one, and never holds all logits."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from goldfish_cli.model.answer_loss import answer_loss

WIDTH, WORDS = 8, 50


@given(labels=st.integers(1, 40), rows=st.integers(1, 45), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_loss_and_gradients_are_those_of_the_whole(labels: int, rows: int, seed: int) -> None:
    torch.manual_seed(seed)
    head = nn.Linear(WIDTH, WORDS)
    targets = torch.randint(WORDS, (labels,))
    whole_in = torch.randn(labels, WIDTH, requires_grad=True)
    parts_in = whole_in.detach().clone().requires_grad_(True)
    whole = functional.cross_entropy(head(whole_in), targets, reduction="sum")
    whole.backward()
    weight_gradient = head.weight.grad.clone()
    head.zero_grad()
    parts = answer_loss(parts_in, head, targets, rows=rows)
    parts.backward()
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(parts_in.grad, whole_in.grad)
    torch.testing.assert_close(head.weight.grad, weight_gradient)


def test_no_logits_are_kept_for_the_backward_pass() -> None:
    head = nn.Linear(WIDTH, WORDS)
    hidden = torch.randn(40, WIDTH, requires_grad=True)
    kept: list[int] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.shape[-1] if tensor.dim() else 0)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        answer_loss(hidden, head, torch.randint(WORDS, (40,)), rows=10)
    assert WORDS not in kept
