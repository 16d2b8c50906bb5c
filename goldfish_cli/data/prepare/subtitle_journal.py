"""Remember what was found out about each video of a folder, a line each, so that work can stop."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from goldfish_cli.errors import InputError


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known about the subtitles of one video."""

    video: str
    """Path inside the folder."""
    stamp: str
    """Names the state of the video and the settings; ``""``: never to be relied upon."""
    source: str = "none"
    language: str | None = None
    cues: int = 0
    digest: str = ""
    """SHA-256 of the sidecar as it was written; ``""`` if there is none."""
    reason: str = ""
    """Why there is no sidecar of ours; ``""`` if there is one."""
    detail: str = ""

    @classmethod
    def refusing(cls, video: str, reason: str, detail: str) -> "Entry":
        """Tell of a video that was not looked at."""
        return cls(video, "", reason=reason, detail=detail)


class Journal:
    """A JSON-lines file; the last line about a video counts.

    Args:
        path: Made when missing and appended to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: dict[str, Entry] = {}
        self._is_cut = False
        if path.exists():
            self._read(path.read_text(encoding="utf-8"))

    def find(self, video: str) -> Entry | None:
        """Return what is known about a video."""
        return self._entries.get(video)

    def append(self, entry: Entry) -> None:
        """Note what was found out.

        Raises:
            InputError: If the journal cannot be written.
        """
        line = json.dumps(asdict(entry), ensure_ascii=False) + "\n"
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" + line if self._is_cut else line)
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be written: {error.strerror}.",
                hint="Free some disk, or make the folder writable; the same command continues.",
            ) from error
        self._is_cut = False
        self._entries[entry.video] = entry

    def _read(self, text: str) -> None:
        self._is_cut = bool(text) and not text.endswith("\n")
        names = {field.name for field in fields(Entry)}
        for line in text.split("\n"):  # splitlines would cut names at rarer line ends
            try:
                values = json.loads(line)
            except ValueError:  # the last line of a run that was killed
                continue
            if isinstance(values, dict) and values.keys() == names:
                self._entries[values["video"]] = Entry(**values)
