"""What the model computes stays what it was when it agreed with the reference's tensors."""

import json

import pytest
import torch
from model_parts import VISION
from pinned_case import PINNED, compute
from transformers import Blip2VisionConfig, Blip2VisionModel

from goldfish_cli.model.vision_encoder import VisionEncoder, interpolate_positions


def test_the_pinned_case_gives_its_pinned_results() -> None:
    pinned, computed = json.loads(PINNED.read_text()), compute()
    assert computed.keys() == pinned.keys()
    for name, value in pinned.items():
        exact = name == "ids" or name.startswith(("prompt", "answer"))
        assert computed[name] == (value if exact else pytest.approx(value, abs=1e-4)), name


def test_the_encoder_is_that_of_the_library_but_for_its_output() -> None:
    config = Blip2VisionConfig(**VISION)
    theirs, ours = Blip2VisionModel(config).eval(), VisionEncoder(config).eval()
    ours.load_state_dict(theirs.state_dict())
    theirs.post_layernorm.eps = 1e-5
    pixels = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        expected = theirs(pixels).last_hidden_state[:, 1:]
        torch.testing.assert_close(ours(pixels), expected, atol=1e-5, rtol=0)
        larger = torch.randn(2, 3, 24, 24)
        expected = theirs(larger, interpolate_pos_encoding=True).last_hidden_state[:, 1:]
        torch.testing.assert_close(ours(larger), expected, atol=1e-5, rtol=0)


def test_positions_fitted_when_loaded_are_those_fitted_when_a_frame_comes() -> None:
    encoder = VisionEncoder(Blip2VisionConfig(**VISION)).eval()
    positions = encoder.embeddings.position_embedding
    fitted = interpolate_positions(positions, 36)
    live = encoder.embeddings.interpolate_pos_encoding(torch.empty(1, 37, 16), 24, 24)
    torch.testing.assert_close(fitted, live)
    assert interpolate_positions(positions, 16) is positions
