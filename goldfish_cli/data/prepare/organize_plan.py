"""Decide what becomes of each file of a folder: where it goes and how, or why it stays."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from goldfish_cli.data.prepare.folder import FoundFile, file_kind, walk_folder
from goldfish_cli.data.prepare.media import preference, probe_many
from goldfish_cli.data.prepare.organize_history import History, Placed
from goldfish_cli.data.prepare.organize_journal import JOURNAL, ORIGINALS, Entry, Operation, Places
from goldfish_cli.data.prepare.transfer import PART_PREFIX, same_content
from goldfish_cli.errors import VideoError
from goldfish_cli.media.remux import MP4_CONTAINERS, mp4_obstacle
from goldfish_cli.media.video import VideoInfo

Mode = Literal["move", "copy", "link"]
MAP = "organize.json"
OWN_FILES = (JOURNAL, MAP, "organize.dropped.jsonl", "organize.provenance.json")
_MISSING = 0.5  # seconds that a header may promise beyond the last picture


@dataclass(frozen=True, slots=True)
class Left:
    """A file that stays where it is.

    Args:
        file: Relative to the folder that is organized.
        reason: What to count it under.
        detail: What is the matter with this one.
    """

    file: str
    reason: str
    detail: str = ""


@dataclass(slots=True)
class Plan:
    """What becomes of each file."""

    num_read: int = 0
    entries: list[Entry] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    unstashed: list[Left] = field(default_factory=list)
    """Sources of stream copies that should have been moved away, but were not."""


class Planner:
    """Looks at a folder and decides. Changes nothing.

    Args:
        places: The folders.
        mode: How files go to their places.
        journal: What earlier runs wrote down.
    """

    def __init__(self, places: Places, mode: Mode, journal: Sequence[Entry]) -> None:
        self._places = places
        self._mode: Mode = mode
        self._operation: Operation = mode
        self._in_place = places.are_one
        self._history = History(places, journal)
        self._plan = Plan()
        self._sidecars: list[FoundFile] = []
        self._there = self._find_there()
        self._homes = {
            placed.id: PurePosixPath(placed.source).parent
            for placed in self._history.placed.values()
        }
        self._videos = self._sort_out(self._scan())
        """What is to be looked into, by id."""

    @property
    def num_videos(self) -> int:
        """How many videos ``run`` looks into."""
        return len(self._videos)

    def run(self, *, workers: int) -> Iterator[None]:
        """Look into the videos and decide about each; a step a video. Then ``plan`` is ready."""
        videos = [self._videos[name] for name in sorted(self._videos)]
        paths = (self._places.folder / video.path for video in videos)
        for video, probed in zip(videos, probe_many(paths, "header", workers=workers), strict=True):
            if probed.info is None:
                self._leave(video, "unreadable", str(probed.error))
            elif _is_cut_off(probed.info):
                stated, there = probed.info.stated_duration, probed.info.duration
                self._leave(video, "truncated", f"{there:.1f} s of {stated:.1f} s are there")
            else:
                self._place(video, probed.info)
            yield
        for sidecar in self._sidecars:
            self._place_sidecar(sidecar)

    @property
    def plan(self) -> Plan:
        """What was decided."""
        return self._plan

    def _scan(self) -> list[FoundFile]:
        """Find the files that earlier runs have not dealt with, and count those they have."""
        done, plan = self._history.placed, self._plan
        plan.placed.extend(done.values())
        plan.entries.extend(self._history.unfinished.values())
        files = {str(file.path): file for file in walk_folder(self._places.folder)}
        for name in [*files]:
            if self._is_result(PurePosixPath(name)):
                del files[name]
        sources = {placed.source for placed in done.values()} | self._history.unfinished.keys()
        plan.num_read = len(files) + len(sources - files.keys())
        if self._mode == "move":
            unstashed = {p.source for p in done.values() if p.how == "remux"} & files.keys()
            plan.entries.extend(_stash(files[name]) for name in sorted(unstashed))
        return [file for name, file in files.items() if name not in sources]

    def _is_result(self, path: PurePosixPath) -> bool:
        """Whether a file below the folder is something that this command has written."""
        if path.name.startswith(PART_PREFIX):
            return True
        if self._in_place:
            return str(path) in self._history.results or str(path) in OWN_FILES
        return (self._places.folder.resolve() / path).is_relative_to(self._places.out.resolve())

    def _sort_out(self, files: Iterable[FoundFile]) -> dict[str, FoundFile]:
        """Set aside what is no video, or one of several of one id; return the others by id."""
        by_id: defaultdict[str, list[FoundFile]] = defaultdict(list)
        for file in files:
            if file.kind == "partial" or (file.kind == "video" and not file.size):
                self._leave(file, "partial", "a download that did not end")
            elif file.kind == "link" or (self._places.folder / file.path).is_symlink():
                self._leave(file, "link", "a symbolic link: not followed, not moved")
            elif file.kind == "subtitles":
                self._sidecars.append(file)
            elif file.kind == "video":
                by_id[file.path.stem].append(file)
            else:
                self._leave(file, "not-a-video")
        videos = {}
        for name, rivals in by_id.items():
            if chosen := self._choose(name, rivals):
                videos[name] = chosen
        return videos

    def _choose(self, name: str, rivals: list[FoundFile]) -> FoundFile | None:
        """Of files that have one id take the first, if all are the same; else none."""
        rivals.sort(key=lambda file: preference(str(file.path)))
        there = self._there.get(name, ())
        paths = [*there, *(self._places.folder / file.path for file in rivals)]
        if len(paths) == 1:
            return rivals[0]
        if there:
            for file in rivals:
                path = self._places.folder / file.path
                is_same = any(same_content(path, other) for other in there)
                detail = f"{name} is there already, {'the same' if is_same else 'another'} video"
                self._leave(file, "duplicate" if is_same else "collision", detail)
            return None
        first, *others = rivals
        if all(same_content(paths[0], path) for path in paths[1:]):
            for file in others:
                self._leave(file, "duplicate", f"the same as {first.path}")
            return first
        names = ", ".join(str(file.path) for file in rivals)
        for file in rivals:
            self._leave(file, "collision", f"different videos have the id {name}: {names}")
        return None

    def _find_there(self) -> dict[str, list[Path]]:
        """List the videos that are in their place by id, and what stream copies were made from."""
        there: defaultdict[str, list[Path]] = defaultdict(list)
        for placed in self._history.placed.values():
            if file_kind(placed.file) == "video":
                origin = self._history.origin(placed)
                there[placed.id] += [self._places.out / placed.file, *([origin] if origin else [])]
        if not self._in_place and self._places.out.is_dir():
            for path in sorted(self._places.out.iterdir()):
                if file_kind(path.name) == "video" and path.name not in self._history.placed:
                    there[path.stem].append(path)
        return there

    def _place(self, video: FoundFile, info: VideoInfo) -> None:
        target, operation, note = f"{video.path.stem}.mp4", self._operation, ""
        if info.container not in MP4_CONTAINERS or video.path.suffix.lower() == ".mov":
            operation = "remux"
            note = _obstacle(self._places.folder / video.path)
            if note:
                target, operation = video.path.name, self._operation
        self._send(video, target, operation, note)

    def _place_sidecar(self, file: FoundFile) -> None:
        """Send subtitles after their video; those of no video beside them stay."""
        names = (file.path.stem, PurePosixPath(file.path.stem).stem)  # clip.srt, clip.en.srt
        owner = next((name for name in names if self._homes.get(name) == file.path.parent), None)
        if owner is None:
            self._leave(file, "not-a-video", "subtitles of no video beside them that has a place")
        else:
            self._send(file, file.path.name, self._operation, "", owner)

    def _send(
        self, file: FoundFile, target: str, operation: Operation, note: str, owner: str = ""
    ) -> None:
        """Write down where a file goes, unless it is there, or something else is."""
        source, name = str(file.path), owner or file.path.stem
        self._homes[name] = file.path.parent
        if self._in_place and source == target:
            self._plan.placed.append(Placed(name, target, source, "kept", note))
        elif os.path.lexists(self._places.out / target):
            self._leave(file, "collision", f"there is another {target}")
        else:
            self._plan.entries.append(Entry(operation, name, source, target, file.size, note))
            if operation == "remux" and self._mode == "move":
                self._plan.entries.append(_stash(file))

    def _leave(self, file: FoundFile, reason: str, detail: str = "") -> None:
        self._plan.left.append(Left(str(file.path), reason, detail))


def _stash(file: FoundFile) -> Entry:
    return Entry("stash", file.path.stem, str(file.path), f"{ORIGINALS}/{file.path}", file.size)


def _obstacle(path: Path) -> str:
    try:
        return mp4_obstacle(path)
    except VideoError as error:  # another decoder can read it, but not copy its streams
        return str(error)


def _is_cut_off(info: VideoInfo) -> bool:
    missing = (info.stated_duration or 0.0) - info.duration
    return missing > max(_MISSING, 0.01 * info.duration)
