"""The layout of a prompt: where frames, captions and questions stand. Knows no tokenizer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

IMAGE = "<ImageHere>"
FRAME_START = "<Img>"
IMAGE_END = "</Img>"
CAPTION_START = "<Cap>"
QUESTION_START = "[INST] "
MARKERS = (FRAME_START, IMAGE_END, IMAGE, CAPTION_START, "[INST]", "[/INST]", "<s>", "</s>")

Media = Literal["video", "image"]


@dataclass(frozen=True, slots=True)
class PromptStyle:
    """How a conversation about frames is written out."""

    name: str
    """What a model's configuration calls it."""
    opening: str
    """Before the frames of the first turn; the tokenizer's own BOS comes before it."""
    closing: str
    """After each question."""
    ends_answers: bool
    """Whether answers inside a conversation have an end token, as the last one has in training."""


STYLES = {
    style.name: style
    for style in (
        PromptStyle("goldfish", QUESTION_START, " [/INST]", ends_answers=True),
        # MiniGPT4-Video writes its template in three ways: for demo, training and evaluation
        PromptStyle("reference", f"<s>{QUESTION_START}", " [/INST]", ends_answers=False),
        PromptStyle("reference-train", QUESTION_START, "[/INST]", ends_answers=False),
        PromptStyle("reference-eval", f"<s>{QUESTION_START} ", " [/INST]", ends_answers=False),
    )
}
GOLDFISH = STYLES["goldfish"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of the prompt that is tokenised alone."""

    kind: Literal["text", "image", "answer"]
    """``image`` stands for the visual tokens of one frame; ``answer`` ends with the end token."""
    text: str = ""


def lay_out(
    captions: Sequence[str],
    turns: Sequence[tuple[str, str | None]],
    *,
    style: PromptStyle = GOLDFISH,
    media: Media = "video",
    preface: str = "",
) -> list[Chunk]:
    """Write a conversation out as chunks.

    Args:
        captions: One text for each frame, what is said at it; ``""`` where nothing is said.
        turns: Questions with their answers; the last answer may be ``None``, still to be given.
        style: The template.
        media: A ``video``'s frames are followed by a new line, an ``image`` by its end marker.
        preface: A text before the frames.

    Raises:
        ValueError: If there is no turn, or a turn before the last has no answer.
    """
    if not turns or any(answer is None for _, answer in turns[:-1]):
        raise ValueError("A prompt needs a question, and every earlier question its answer.")
    chunks: list[Chunk] = []
    text = style.opening + (f"{preface} " if preface else "")
    for caption in captions:
        chunks += [Chunk("text", text + FRAME_START), Chunk("image")]
        text = f"{CAPTION_START}{caption} " if caption else ""
    if captions:
        text += f"{IMAGE_END} " if media == "image" else "\n"
    for number, (question, answer) in enumerate(turns, start=1):
        text += question + style.closing
        is_last = number == len(turns)
        if answer is not None and (style.ends_answers or is_last):
            chunks += [Chunk("text", text), Chunk("answer", answer)]
            text = ""
        elif answer is not None:
            text += answer
        text += "" if is_last else QUESTION_START
    return [*chunks, Chunk("text", text)] if text else chunks


def render(chunks: Sequence[Chunk]) -> str:
    """Join chunks to a readable string, frames as ``<ImageHere>``, answers with ``</s>``."""
    shown = {"text": "{}", "image": IMAGE, "answer": "{}</s>"}
    return "".join(shown[chunk.kind].format(chunk.text) for chunk in chunks)


def guard(text: str, markers: Sequence[str]) -> str:
    """Break markers in a text from outside: no subtitle may pose as a frame or a turn."""
    for marker in markers:
        while len(marker) > 1 and marker in text:
            text = text.replace(marker, f"{marker[0]} {marker[1:]}")
    return text
