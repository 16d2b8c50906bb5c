"""Tell a file of another benchmark by what only that one has: a column, or how it names videos."""

from __future__ import annotations

import re

from goldfish_cli.evaluation.benchmarks.rows import Row

_MARKS = {
    "lvbench": ("time_reference",),
    "videomme": ("domain", "sub_category"),
    "nextqa": ("frame_count",),
    "tvqa": ("vid_name", "show_name"),
    "tgif-frame": ("gif_name",),
}
_VIDEO_NAMES = (
    ("msvd", "MSVD-QA", re.compile(r"[\w-]{11}_\d+_\d+")),
    ("msrvtt", "MSRVTT-QA", re.compile(r"video\d+")),
    ("tgif-frame", "TGIF-QA", re.compile(r"tumblr_\w+")),
    ("activitynet", "ActivityNet-QA", re.compile(r"(v_)?[\w-]{11}")),
)


def refuse_others(row: Row, name: str = "") -> None:
    """Refuse a row with something that only another set has.

    Raises:
        AnnotationError: If it has; the hint names the set that the row may be of.
    """
    for other, marks in _MARKS.items():
        found = [mark for mark in marks if mark in row.values]
        if found and other != name:
            raise row.error(
                f"has {found[0]}, as files of {other} do",
                hint=f"{row.expected} For that one: goldfish eval {other}",
            )


def refuse_strangers(row: Row, video: str, title: str) -> None:
    """Refuse a video that is named as only another set names its videos.

    Raises:
        AnnotationError: If it is.
    """
    stem = re.sub(r"\.\w{2,4}$", "", video)
    known = sorted(_VIDEO_NAMES, key=lambda one: one[1] != title)  # its own names come first
    for name, other, pattern in known:
        if not pattern.fullmatch(stem) or stem.isdecimal():
            continue
        if other == title:
            return
        raise row.error(
            f"names the video {video}, as {other} does, not {title}",
            hint=f"{row.expected} For {other}: goldfish eval {name}",
        )
