"""Find the mildest changes to a profile that make a model fit its memory budget."""

from collections.abc import Callable, Iterator

from goldfish_cli.errors import DoesNotFitError
from goldfish_cli.model.memory import MemoryPlanner, Use
from goldfish_cli.profiles import Profile


def nearest_settings(
    planner: MemoryPlanner, profile: Profile, use: Use = "ask"
) -> dict[str, object] | None:
    """Return the profile's fields to change, with their new values.

    Empty when the work fits as it is; ``None`` when even the smallest settings do not fit.
    """

    def fits(changes: dict[str, object]) -> bool:
        return planner.plan(profile.model_copy(update=changes), use).fits

    changes: dict[str, object] = {}
    steps = _milder_settings(planner, profile, training=use != "ask")
    while not fits(changes):
        step = next(steps, None)
        if step is None:
            return None
        changes |= step
    for field in list(changes):  # an early, mild step may be needless after a late, harsh one
        fewer = {key: value for key, value in changes.items() if key != field}
        if fits(fewer):
            changes = fewer
    return changes | _keep_effective_batch(profile, changes)


def check_fits(
    planner: MemoryPlanner,
    profile: Profile,
    use: Use = "ask",
    *,
    describe: Callable[[dict[str, object]], str] | None = None,
    stored_features: str = "stored features",
) -> None:
    """Refuse work that does not fit.

    Args:
        planner: Of the model.
        profile: The limits.
        use: What is done.
        describe: Writes changes of the profile's fields as whoever asks can make them.
        stored_features: How whoever asks can train from them.

    Raises:
        DoesNotFitError: With the nearest settings that do.
    """
    plan = planner.plan(profile, use)
    if plan.fits:
        return
    write = describe or describe_settings
    ways = []
    changes = nearest_settings(planner, profile, use)
    if changes is not None:
        ways.append(write(changes))
    if use != "ask" and planner.num_vision:
        without = nearest_settings(planner.without_encoder(), profile, use)
        if without is not None and (changes is None or not without):
            ways.append(f"{stored_features} and {write(without)}" if without else stored_features)
    hint = f"It would fit with {', or with '.join(ways)}"
    if not ways:
        hint = "Even the smallest settings do not fit; take a smaller model or another machine"
    raise DoesNotFitError(
        f"{plan.total:.1f} GiB do not fit the {plan.budget:.1f} GiB of profile {profile.name}.",
        hint=hint,
    )


def describe_settings(changes: dict[str, object]) -> str:
    """Write changes as the lines of a profile would have them, in one line."""
    return ", ".join(
        f"{key}: {str(value).lower() if isinstance(value, bool) else value}"
        for key, value in changes.items()
    )


def _milder_settings(
    planner: MemoryPlanner, profile: Profile, *, training: bool
) -> Iterator[dict[str, object]]:
    """Yield single changes that save memory, the least harmful first."""
    config = planner.config
    if training and not profile.activation_checkpointing:
        yield {"activation_checkpointing": True}
    batch_size = profile.batch_size
    while training and batch_size > 1:
        batch_size //= 2
        yield {"batch_size": batch_size}
    if profile.encoder_chunk > 1:
        yield {"encoder_chunk": 1}
    formats = ("none", "int8", "nf4")
    smaller = formats[formats.index(profile.quantization) + 1 :]
    learns_whole = training and planner.learning is not None and planner.learning.full
    for quantization in () if learns_whole else smaller:  # what is quantized cannot learn
        yield {"quantization": quantization}
    frames = profile.max_frames or config.num_frames
    context = profile.max_context_tokens
    while frames > 1:
        frames //= 2
        context = max(context // 2, frames * config.tokens_per_frame + 128)
        if context < profile.max_context_tokens:
            yield {"max_frames": frames, "max_context_tokens": context}
        else:
            yield {"max_frames": frames}


def _keep_effective_batch(profile: Profile, changes: dict[str, object]) -> dict[str, object]:
    batch_size = changes.get("batch_size")
    if not isinstance(batch_size, int):
        return {}
    return {
        "gradient_accumulation": profile.gradient_accumulation * profile.batch_size // batch_size
    }
