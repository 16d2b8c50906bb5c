"""Find the video of an id in a folder of any depth, and look into many videos at once."""

import gc
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from goldfish_cli.data.prepare.folder import FoundFile, walk_folder
from goldfish_cli.data.prepare.in_order import in_order
from goldfish_cli.errors import VideoError
from goldfish_cli.media.file_names import VIDEO_EXTENSIONS
from goldfish_cli.media.sampling import uniform_times
from goldfish_cli.media.video import Image, VideoInfo, probe, read_frames

ProbeLevel = Literal["none", "header", "decode"]
"""``header``: what ``probe`` reads, the first picture included. ``decode``: frames of all parts."""

FRAMES_DECODED = 16  # spread over the film, at level ``decode``


class MediaIndex:
    """The videos of a folder by id: by file name without ending, alone or after its folders.

    Args:
        root: The folder.
        files: What ``walk_folder`` found in it; other than videos (and images) is left out.
        images: Let an image stand for an id that has no video.
    """

    def __init__(self, root: Path, files: Iterable[FoundFile], *, images: bool = False) -> None:
        self.root = root
        self._by_id: dict[str, list[str]] = {}
        links = []
        for file in files:
            if file.kind == "video" or (images and file.kind == "image"):
                self._by_id.setdefault(file.path.stem, []).append(str(file.path))
            elif file.kind == "link":
                links.append(str(file.path))
        for paths in self._by_id.values():
            paths.sort(key=preference)
        self.links = tuple(links)
        """Links that were not followed: they leave the folder or lead nowhere."""

    def __len__(self) -> int:
        """Count the different ids."""
        return len(self._by_id)

    def find(self, name: str) -> Path | None:
        """Return the video of an id or file name, ``None`` if there is none.

        Where several files have the name, the one the least deep is taken, then the one whose
        ending stands first in ``VIDEO_EXTENSIONS``; ``collisions`` tells of them.

        Args:
            name: With or without ending; with folders it must lie in these.

        Raises:
            ValueError: If ``name`` points outside the folder.
        """
        wanted = PurePosixPath(name)
        if wanted.is_absolute() or ".." in wanted.parts or "\0" in name:
            raise ValueError(f"names a file outside the folder: {name!r}")
        # The id a.b may be the file a.b.mp4 or, where a.b itself is a video, that file.
        paths = [*self._by_id.get(wanted.name, ()), *self._by_id.get(wanted.stem, ())]
        for path in map(PurePosixPath, paths):
            if wanted in (path, path.parent / path.stem):
                return self.root / path
            if len(wanted.parts) == 1 and wanted.name in (path.name, path.stem):
                return self.root / path
        return None

    @property
    def collisions(self) -> dict[str, tuple[str, ...]]:
        """Ids that several files have, with the files: the one that is taken comes first."""
        return {name: tuple(p) for name, p in sorted(self._by_id.items()) if len(p) > 1}


def find_media(root: Path, *, images: bool = False, follow_links: bool = False) -> MediaIndex:
    """List the videos of a folder, at any depth.

    Args:
        root: The folder.
        images: Let an image stand for an id that has no video.
        follow_links: Follow symbolic links to files outside the folder.

    Raises:
        InputError: If there is no such folder, or a part of it cannot be listed.
    """
    return MediaIndex(root, walk_folder(root, follow_links=follow_links), images=images)


class Probed(NamedTuple):
    """What was found in one video: what it is, or why it cannot be read."""

    path: Path
    info: VideoInfo | None  # None at level "none" and of what cannot be read
    error: VideoError | None


def probe_many(paths: Iterable[Path], level: ProbeLevel, *, workers: int) -> Iterator[Probed]:
    """Look into videos, several at a time; results come in the order of ``paths``.

    Args:
        paths: Drawn from as results are taken, so there may be any number.
        level: How closely to look.
        workers: Videos that are read at a time.
    """
    if level == "none":
        yield from (Probed(path, None, None) for path in paths)
        return
    with ThreadPoolExecutor(workers) as pool:  # decoding leaves Python's lock to the others
        look = partial(_look_into, decode=level == "decode")

        def submit(path: Path) -> Future[tuple[VideoInfo | None, VideoError | None]]:
            return pool.submit(look, path)

        for path, (info, error) in in_order(submit, paths, window=4 * workers):
            yield Probed(path, info, error)


def _look_into(path: Path, *, decode: bool) -> tuple[VideoInfo | None, VideoError | None]:
    try:
        info = probe(path)
        if decode:
            notes: list[str] = []
            times = uniform_times(info.start, info.end, FRAMES_DECODED)
            read_frames(path, times, prepare=_corner, notes=notes)
            info = replace(info, notes=(*info.notes, *notes))
    except VideoError as error:
        return None, error
    finally:
        # PyAV's first picture waits for the collector; a hundred of 4K would take a gigabyte.
        gc.collect(1)
    return info, None


def _corner(image: Image) -> Image:
    return image[:1, :1].copy()


def preference(path: str) -> tuple[bool, int, int, str]:
    """Sort by this the files of one id: the least deep first, then by ending."""
    suffix = PurePosixPath(path).suffix.lower()
    known = suffix in VIDEO_EXTENSIONS  # an image comes after every video
    rank = VIDEO_EXTENSIONS.index(suffix) if known else len(VIDEO_EXTENSIONS)
    return (not known, path.count("/"), rank, path)
