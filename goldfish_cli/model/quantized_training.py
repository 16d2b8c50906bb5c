"""What training through quantized weights needs beside adapters. Knows bitsandbytes by name only.

Importing bitsandbytes costs seconds, and a model that is not quantized never needs it.
"""

from typing import Any

from torch import nn

INT8_LAYER, NF4_LAYER = "Linear8bitLt", "Linear4bit"


def keep_layers_unpacked(model: nn.Module) -> None:
    """Let 4-bit layers stay in training mode while a model that learns is evaluated.

    On a processor a 4-bit layer that is evaluated packs its weights for good, and no gradient
    passes it ever after. The mode changes nothing else in such a layer.
    """
    for module in model.modules():
        if type(module).__name__ == NF4_LAYER:
            module.training = True


def checkpointing_options(model: nn.Module) -> dict[str, Any]:
    """Say how activations are checkpointed.

    An int8 layer keeps its input on the autograd node itself, out of sight of the hooks by which
    checkpointing usually forgets: every block's inputs stay, 68 KB a token and block at 7B. The
    reentrant kind runs the first pass without gradient, so that nothing is kept.
    """
    int8 = any(type(module).__name__ == INT8_LAYER for module in model.modules())
    return {"use_reentrant": int8}
