"""Times as people write them."""

import typer


def parse_time(text: str) -> float:
    """Read ``90``, ``1:30`` or ``0:01:30.5`` as seconds."""
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        parts = []
    finite = all(0 <= part < float("inf") for part in parts)
    if not 1 <= len(parts) <= 3 or not finite or any(part >= 60 for part in parts[1:]):
        raise typer.BadParameter(f"{text!r} is no time; give seconds, mm:ss or hh:mm:ss")
    seconds = 0.0
    for part in parts:
        seconds = seconds * 60 + part
    return seconds
