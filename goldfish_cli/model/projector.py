"""Visual tokens in, language-model embeddings out: neighbours are pooled, then mapped linearly."""

from torch import Tensor, nn

from goldfish_cli.model.config import Pooling


def pool_tokens(tokens: Tensor, pooling: Pooling, size: int) -> Tensor:
    """Turn each ``size`` consecutive tokens of a frame into one.

    Args:
        tokens: ``(frames, tokens, dim)``, in raster order.
        pooling: ``concat`` joins the channels, ``mean`` averages, ``none`` changes nothing.
        size: How many tokens become one.

    Returns:
        ``(frames, tokens / size, dim * size)`` for ``concat``, with ``dim`` channels for ``mean``.

    Raises:
        ValueError: If the number of tokens is not a multiple of ``size``.
    """
    if pooling == "none":
        return tokens
    num_tokens = tokens.shape[1]
    if num_tokens % size:
        raise ValueError(f"{num_tokens} visual tokens cannot be pooled in groups of {size}.")
    groups = tokens.unflatten(1, (-1, size))  # (frames, groups, size, dim)
    return groups.flatten(2) if pooling == "concat" else groups.mean(2)


class VisualProjector(nn.Module):
    """The linear map from pooled visual tokens to language-model embeddings (arXiv:2404.03413)."""

    def __init__(self, pooled_dim: int, text_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(pooled_dim, text_dim)

    def forward(self, pooled: Tensor) -> Tensor:
        """Map ``(..., pooled_dim)`` to ``(..., text_dim)``."""
        return self.linear(pooled.to(self.linear.weight.dtype))
