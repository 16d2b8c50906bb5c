"""What is wrong with a dataset, row by row, and how to mend it. Counts all, keeps the first few."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or odd, in one row."""

    severity: Severity
    """``error``: training would refuse the row or leave it out, or learn from what it is tested on.
    """
    kind: str
    file: str
    row: int | None
    """From 1, in its file; ``None``: of the file as a whole."""
    id: str
    message: str
    mend: str


@dataclass(frozen=True, slots=True)
class _Kind:
    severity: Severity
    mend: str


_FILTER = "Drop such rows with: goldfish prep filter FILE --videos DIR --out NEW"
_CLEAN = "Mend or drop such rows with: goldfish prep clean FILE --out NEW"
_SHAPES = (
    'Rows look like {"video_id": "a", "q": "...", "a": "..."} or {"image_id": "a", "caption": '
    '"..."}; see docs/formats.md'
)
_SPLITS = "Give all rows of a video to one split; prep cmd does so by film"
KINDS = {
    "missing-media": _Kind("error", f"Fetch the file, or name another --videos DIR. {_FILTER}"),
    "outside-folder": _Kind("error", "Name files by their place inside --videos DIR"),
    "unreadable-media": _Kind("error", f"Fetch the file again. {_FILTER}"),
    "unreadable-subtitles": _Kind("error", "Mend or remove the subtitle file beside the video"),
    "question-too-long": _Kind("error", "Shorten it, or raise max_context_tokens in the profile"),
    "video-in-two-splits": _Kind("error", _SPLITS),
    "film-in-two-splits": _Kind("error", _SPLITS),
    "caption-in-two-splits": _Kind("warning", "Drop one: what is tested may be known by heart"),
    "duplicate-row": _Kind("warning", _CLEAN),
    "answer-cut": _Kind("warning", "Shorten it, or raise max_text_tokens in the profile"),
    "answer-is-question": _Kind("warning", "Look whether the columns are swapped"),
    "broken-encoding": _Kind("warning", _CLEAN),
    "one-answer": _Kind("warning", "Thin it out: the model may learn to say it to anything"),
    "length-differs": _Kind("warning", "Write the lengths anew with: goldfish prep videochatgpt"),
    "no-duration": _Kind("warning", "Look at the file: it holds a single picture"),
}
_BAD_ROW = _Kind("error", _SHAPES)  # the reasons of items.BadItem


class Findings:
    """Collects findings.

    Args:
        keep: How many of each kind are kept to be shown.
        tell: Hears each one, such as to write it down.
    """

    def __init__(self, *, keep: int = 5, tell: Callable[[Finding], None] | None = None) -> None:
        self._keep = keep
        self._tell = tell
        self._counts: dict[Severity, Counter[str]] = {"error": Counter(), "warning": Counter()}
        self._kept: dict[str, list[Finding]] = defaultdict(list)

    def add(
        self, kind: str, message: str, *, file: str, row: int | None = None, id: str = ""
    ) -> Severity:
        """Note what is wrong with a row, and return how bad it is.

        Args:
            kind: One of ``KINDS``, or the reason of a row that cannot be read.
            message: What is wrong, with the value.
            file: Name of the file.
            row: From 1, in its file.
            id: Of the video or image.
        """
        known = KINDS.get(kind, _BAD_ROW)
        finding = Finding(known.severity, kind, file, row, id, message, known.mend)
        self._counts[known.severity][kind] += 1
        if len(self._kept[kind]) < self._keep:
            self._kept[kind].append(finding)
        if self._tell:
            self._tell(finding)
        return known.severity

    @staticmethod
    def severity_of(kind: str) -> Severity:
        """Tell how bad a kind of finding is."""
        return KINDS.get(kind, _BAD_ROW).severity

    def counts(self, severity: Severity) -> dict[str, int]:
        """Return how many there are of each kind."""
        return dict(sorted(self._counts[severity].items()))

    def kept(self) -> list[Finding]:
        """Return the first findings of each kind, errors before warnings."""
        kinds = sorted(self._kept, key=lambda kind: (self.severity_of(kind), kind))
        return [finding for kind in kinds for finding in self._kept[kind]]
