"""Give every video of a folder a subtitle file beside it: from a stream inside, or from its speech.

What stands beside a video already is left as it is, unless this module wrote it and nobody has
changed it since. A journal in the folder tells the two apart, and where a stopped run continues.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from goldfish_cli.data.prepare.folder import walk_folder
from goldfish_cli.data.prepare.subtitle_journal import Entry, Journal
from goldfish_cli.errors import InputError, SubtitleError, VideoError
from goldfish_cli.media.embedded_subtitles import read_embedded_subtitles
from goldfish_cli.media.file_names import VIDEO_EXTENSIONS
from goldfish_cli.media.subtitle_files import SUFFIXES, shift_cues
from goldfish_cli.media.subtitle_writing import srt_text
from goldfish_cli.media.subtitles import Subtitles, rank_sidecars
from goldfish_cli.media.video import VideoInfo, probe

if TYPE_CHECKING:  # Whisper brings torch, which a run that only extracts does not need
    from goldfish_cli.data.prepare.account import Account
    from goldfish_cli.data.prepare.output import PreparedFile
    from goldfish_cli.media.speech import Transcriber

JOURNAL = "subtitles.journal.jsonl"
SubtitleSource = Literal["auto", "embedded", "whisper"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one video; ``reused`` if an earlier run did the work."""

    entry: Entry
    reused: bool = False


def find_videos(folder: Path) -> list[Path]:
    """List the videos of a folder at any depth, in an order that does not depend on the disk.

    Raises:
        InputError: If there is no such folder.
    """
    videos = [folder / file.path for file in walk_folder(folder) if file.kind == "video"]
    return sorted(
        videos, key=lambda path: (path.with_suffix("").as_posix(), _rank(path), path.name)
    )


def make_subtitles(
    folder: Path,
    videos: Sequence[Path],
    *,
    source: SubtitleSource = "auto",
    transcriber: Transcriber | None = None,
) -> Iterator[Outcome]:
    """Write ``clip.srt`` beside each video that has no subtitles, one after the other.

    Each file appears whole or not at all; a run that is killed loses the video it was at.

    Args:
        folder: Holds the videos and the journal.
        videos: As ``find_videos`` lists them.
        source: ``embedded`` extracts the best text stream, ``whisper`` transcribes the speech,
            ``auto`` transcribes where there is no stream with captions.
        transcriber: Not needed for ``embedded``.

    Raises:
        InputError: If the folder cannot be written.
        ModelError: If the weights of Whisper cannot be had.
    """
    journal = Journal(folder / JOURNAL)
    maker = _Maker(folder, source, transcriber)
    beside = _Sidecars()
    taken: set[Path] = set()
    for video in videos:
        sidecar, name = video.with_suffix(".srt"), video.relative_to(folder).as_posix()
        before = journal.find(name)
        if sidecar in taken:
            yield Outcome(Entry.refusing(name, "same-name", f"{sidecar.name} is another video's"))
            continue
        taken.add(sidecar)
        own = before is not None and before.digest != "" and _digest(sidecar) == before.digest
        others = [path for path in beside.of(video) if not (own and path == sidecar)]
        if others:
            yield Outcome(Entry.refusing(name, "has-subtitles", others[0].name))
            continue
        stamp = maker.stamp(video)
        if before is not None and before.stamp == stamp and (own or before.reason):
            yield Outcome(before, reused=True)
            continue
        entry, text = maker.make(video, name, stamp)
        journal.append(entry)  # before the file: one without an entry would pass for a person's
        if own and not text:
            sidecar.unlink()
        if text and not _publish(text, sidecar, replace=own):
            entry = Entry.refusing(name, "has-subtitles", f"{sidecar.name} came meanwhile")
        yield Outcome(entry)


def record_outcomes(
    outcomes: Iterator[Outcome], output: PreparedFile, account: Account
) -> Iterator[Outcome]:
    """Enter each outcome into the list of what was made, or of what was not and why."""
    for outcome in outcomes:
        entry = outcome.entry
        account.read()
        if entry.reason:
            output.drop({"video": entry.video}, entry.reason, entry.detail)
        else:
            output.write(
                {
                    "video": entry.video,
                    "subtitles": Path(entry.video).with_suffix(".srt").as_posix(),
                    "source": entry.source,
                    "language": entry.language,
                    "cues": entry.cues,
                }
            )
        yield outcome


class _Maker:
    """Makes the subtitles of one video after the other, in one way."""

    def __init__(
        self, folder: Path, source: SubtitleSource, transcriber: Transcriber | None
    ) -> None:
        if source != "embedded" and transcriber is None:
            raise ValueError(f"Subtitles by {source} take a transcriber.")
        self._folder = folder
        self._source = source
        self._transcriber = transcriber
        self._settings = f"{source} {transcriber.identity if transcriber else ''}"

    def stamp(self, video: Path) -> str:
        """Name what the subtitles of a video are made from: the file as it is, and the settings."""
        status = video.stat()
        parts = f"{status.st_size} {status.st_mtime_ns} {self._settings}"
        return hashlib.sha256(parts.encode()).hexdigest()[:32]

    def make(self, video: Path, name: str, stamp: str) -> tuple[Entry, str]:
        """Return what to note about a video, and the text of its sidecar, ``""`` for none."""
        try:
            info = probe(video)
            found = self._find(video, info)
        except SubtitleError as error:
            return Entry(name, stamp, reason="no-sound", detail=str(error)), ""
        except VideoError as error:
            return Entry(name, stamp, reason="unreadable", detail=str(error)), ""
        if not found.cues:
            reason = "no-captions" if self._source == "embedded" else "no-speech"
            return Entry(name, stamp, reason=reason, detail="; ".join(found.notes)), ""
        text = srt_text(shift_cues(found.cues, -info.start))  # players count from the first frame
        digest = hashlib.sha256(text.encode()).hexdigest()
        return Entry(name, stamp, found.source, found.language, len(found.cues), digest), text

    def _find(self, video: Path, info: VideoInfo) -> Subtitles:
        embedded = Subtitles()
        if self._source != "whisper":
            embedded = read_embedded_subtitles(video, info)
        if embedded.cues or self._transcriber is None or self._source == "embedded":
            return embedded
        if not info.audio:
            raise SubtitleError(f"{video.name} has no sound.")
        speech = self._transcriber.transcribe(video)
        source = f"whisper {self._transcriber.name}"
        return Subtitles(speech.cues, source, speech.language, speech.notes)


class _Sidecars:
    """Subtitle files by the video they may belong to; lists each folder once, as it is then."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, list[Path]]] = {}

    def of(self, video: Path) -> list[Path]:
        folder = video.parent
        if folder not in self._folders:
            self._folders[folder] = _by_stem(folder)
        return rank_sidecars(self._folders[folder].get(video.stem, ()), video.stem)


def _by_stem(folder: Path) -> dict[str, list[Path]]:
    """Map every stem that a subtitle file may belong to, ``clip.en`` and ``clip``, to the file."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in folder.iterdir():
        if path.suffix.lower() in SUFFIXES:
            stem = path.stem
            while stem:
                found[stem].append(path)
                stem = stem.rpartition(".")[0]
    return found


def _publish(text: str, sidecar: Path, *, replace: bool) -> bool:
    """Put a file in place, whole; ``False`` if there is one that may not be replaced."""
    partial = sidecar.with_name(f".{sidecar.name}.part")
    try:
        partial.write_bytes(text.encode())
        if replace:
            partial.replace(sidecar)
            return True
        try:
            os.link(partial, sidecar)  # unlike renaming, this never replaces what came meanwhile
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            if sidecar.exists():
                return False
            partial.replace(sidecar)
        return True
    except OSError as error:
        raise InputError(
            f"{sidecar} cannot be written: {error.strerror}.",
            hint="Free some disk, or make the folder writable; the same command continues.",
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _rank(path: Path) -> int:
    return VIDEO_EXTENSIONS.index(path.suffix.lower())
