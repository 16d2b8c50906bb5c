"""Training through quantized weights: gradients after an evaluation, and what is not kept."""

import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
import torch
from model_parts import IMAGE_TOKEN_ID

from goldfish_cli.model.adapters import add_lora
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.loader import LoadedModel
from goldfish_cli.model.start import start_model
from goldfish_cli.profiles import Profile

Kind = Literal["int8", "nf4"]


def quantized_model(bases: dict[str, str], profile: Profile, kind: Kind) -> LoadedModel:
    quantized = profile.model_copy(update={"quantization": kind, "dtype": "bfloat16"})
    return start_model(quantized, bases=bases, offline=True)


def loss_of(model: GoldfishForConditionalGeneration) -> torch.Tensor:
    ids = torch.tensor([[256, *[IMAGE_TOKEN_ID] * 4, 5, 6, 7]])
    labels = torch.tensor([[-100] * 6 + [6, 7]])
    features = torch.linspace(-1, 1, 4 * 64).reshape(1, 4, 64)
    loss: torch.Tensor = model(ids, labels=labels, image_features=features).loss
    return loss


@pytest.mark.parametrize("kind", ["int8", "nf4"])
def test_gradients_reach_adapters_and_projector_after_an_evaluation(
    wide_bases: dict[str, str], profile: Profile, kind: Kind
) -> None:
    model = quantized_model(wide_bases, profile, kind).model
    add_lora(model, r=2, dropout=0.0)
    model.choose_trainable(projector=True, adapter=True)
    model.projector.float()
    model.train()
    with torch.autocast("cpu", torch.bfloat16):
        before = loss_of(model)
        before.backward()
        model.zero_grad()
        model.eval()
        with torch.no_grad():
            loss_of(model)
        model.train()
        loss_of(model).backward()
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert any("lora_B" in name for name in learning)
    without = [name for name, parameter in learning.items() if parameter.grad is None]
    assert without == []


MEASURE = """
import sys, torch
from pathlib import Path
from bitsandbytes.nn import Int8Params, Linear8bitLt
from torch import nn
from torch.utils.checkpoint import checkpoint
from goldfish_cli.model.quantized_training import checkpointing_options

WIDTH, TOKENS, BLOCKS = 256, 20_000, 8

def block():
    layers = nn.Sequential(*(Linear8bitLt(WIDTH, WIDTH, bias=False, has_fp16_weights=False)
                             for _ in range(4)))
    return layers.to("cpu")

def peak_kib():
    # Of this process alone: getrusage would begin with the peak of the process that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

torch.set_num_threads(1)
model = nn.ModuleList(block() for _ in range(BLOCKS))
options = checkpointing_options(model) if sys.argv[1] == "ours" else {"use_reentrant": False}
states = torch.randn(TOKENS, WIDTH, dtype=torch.bfloat16, requires_grad=True)
before = peak_kib()
out = states
for layers in model:
    out = checkpoint(layers, out, **options)
grown = peak_kib() - before
out.float().sum().backward()
assert states.grad is not None and states.grad.abs().sum() > 0
print(grown / 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's own figures")
def test_checkpointed_int8_blocks_keep_no_inputs_of_their_layers() -> None:
    usual, ours = (grown_mib(kind) for kind in ("usual", "ours"))
    kept = 20_000 * 256 * 4 * 8 * 2 / 2**20  # float16 inputs of four layers in eight blocks
    assert usual - ours > 0.5 * kept


def grown_mib(kind: str) -> float:
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, kind], capture_output=True, text=True, check=True
    )
    return float(run.stdout)
