"""Write a conversation about frames as chat messages, the way general models expect them."""

from collections.abc import Sequence
from typing import Any

from goldfish_cli.backends.base import Turn

Part = dict[str, Any]


def chat_messages(parts: Sequence[Part], turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Write turns as messages; the first question follows the parts that show the video.

    Args:
        parts: Texts and pictures, see ``frame_parts``.
        turns: The last one has no answer yet.
    """
    messages: list[dict[str, Any]] = []
    shown = list(parts)
    for turn in turns:
        messages.append({"role": "user", "content": [*shown, text_part(turn.question)]})
        shown = []
        if turn.answer is not None:
            messages.append({"role": "assistant", "content": [text_part(turn.answer)]})
    return messages


def frame_parts(
    times: Sequence[float], pictures: Sequence[Part], captions: Sequence[str]
) -> list[Part]:
    """Show each picture after its time, and after it what is said up to it.

    Args:
        times: Seconds.
        pictures: A part for each frame.
        captions: A text for each frame, "" where nothing is said.
    """
    parts: list[Part] = []
    for time, picture, caption in zip(times, pictures, captions, strict=True):
        parts += [text_part(f"Frame at {time:.1f} s: "), picture]
        if caption:
            parts.append(text_part(f"Subtitles: {caption} "))
    return parts


def transcript_part(times: Sequence[float], captions: Sequence[str]) -> list[Part]:
    """Write all captions as one text with times, for a video that is shown as a whole."""
    lines = [
        f"{time:.1f} s: {caption}\n"
        for time, caption in zip(times, captions, strict=True)
        if caption
    ]
    return [text_part("Subtitles:\n" + "".join(lines))] if lines else []


def text_part(text: str) -> Part:
    """Make a part of a message out of text."""
    return {"type": "text", "text": text}
