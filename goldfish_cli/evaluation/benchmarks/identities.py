"""Give the questions of a set ids of their own, the same whenever its files are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from goldfish_cli.evaluation.items import EvalItem


def with_ids(items: Sequence[EvalItem]) -> list[EvalItem]:
    """Make the ids distinct; the questions stay in their order, and all of them stay.

    Where no id is published, it is the video's name and the number of the question among those
    about it. Where ids repeat in the set, as NExT-QA's, which count within a video, the video's
    name goes before all of them; what repeats even so gets a number after it.
    """
    items = _without_folders(items)
    published = [item.id for item in items if item.id]
    repeat = len(set(published)) < len(published)
    asked: Counter[str] = Counter()
    names = []
    for item in items:
        asked[item.video] += 1
        if not item.id:
            names.append(f"{item.video}#{asked[item.video]}")
        else:
            names.append(f"{item.video}_{item.id}" if repeat else item.id)
    return [replace(item, id=name) for item, name in zip(items, _distinct(names), strict=True)]


def _without_folders(items: Sequence[EvalItem]) -> Sequence[EvalItem]:
    """Take the folders off the videos' names, unless two would then be called the same."""
    names = {item.video for item in items}
    if len({PurePosixPath(name).name for name in names}) < len(names):
        return items
    return [replace(item, video=PurePosixPath(item.video).name) for item in items]


def _distinct(names: Sequence[str]) -> list[str]:
    """Number what repeats: the first stays as it is, the second becomes ``name#2``."""
    taken, seen, result = set(names), Counter[str](), []
    for name in names:
        seen[name] += 1
        one = name
        while seen[name] > 1 and (one := f"{name}#{seen[name]}") in taken:
            seen[name] += 1
        taken.add(one)
        result.append(one)
    return result
