"""Write prepared data, what was dropped on the way, and where it comes from: all of it or nothing.

``cmd.json`` gets two companions, ``cmd.dropped.jsonl`` and ``cmd.provenance.json``. They carry no
clock and no folder of this machine, so the same command writes the same bytes.
"""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import orjson

from goldfish_cli import __version__
from goldfish_cli.data.prepare.account import Account
from goldfish_cli.errors import AnnotationError, InputError, UsageError

SUFFIXES = (".json", ".jsonl")


def provenance(
    kind: str, inputs: Sequence[Path], settings: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Record what a dataset is made from.

    Args:
        kind: The command, such as ``"cmd"``.
        inputs: The files that are read; each is hashed.
        settings: What else decides the result. Of a path only the name is kept.

    Raises:
        InputError: If an input cannot be read.
    """
    return {
        "command": f"goldfish prep {kind}",
        "goldfish": __version__,
        "python": platform.python_version(),
        "inputs": [_fingerprint(path) for path in inputs],
        "settings": {name: _plain(value) for name, value in (settings or {}).items()},
    }


class PreparedFile:
    """One dataset being written; its files change only when all went well.

    Args:
        path: ``.json`` for a list with one item a line, ``.jsonl`` for one item a line.
        account: Counts what is written and dropped; reading is for the caller to count.
        provenance: What the data is made from, as ``provenance`` tells; counts are added.
        inputs: The files that are read, which none of the three may replace.

    Raises:
        UsageError: If ``path`` has another ending, or is an input or a folder.
        InputError: If its folder cannot be written.

    Example:
        with PreparedFile(path, account, provenance=made_from) as output: output.write(item)
    """

    def __init__(
        self,
        path: Path,
        account: Account,
        *,
        provenance: Mapping[str, Any],
        inputs: Sequence[Path] = (),
    ) -> None:
        if path.suffix not in SUFFIXES:
            raise UsageError(
                f"{path.name} is neither .json nor .jsonl.", hint="Such as: --out train.json"
            )
        self.path = path
        self.dropped_path = path.with_name(f"{path.stem}.dropped.jsonl")
        self.provenance_path = path.with_name(f"{path.stem}.provenance.json")
        refuse_replacing(inputs, (path, self.dropped_path, self.provenance_path))
        self._account = account
        self._provenance = provenance
        self._is_list = path.suffix == ".json"
        self._num_items = 0
        self._items: BinaryIO
        self._dropped: BinaryIO | None = None

    def __enter__(self) -> "PreparedFile":
        """Open a file beside the one to come."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._items = _part(self.path).open("wb")
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be written: {error.strerror}.",
                hint="Name another file with --out FILE",
            ) from error
        if self._is_list:
            self._items.write(b"[")
        return self

    def write(self, item: Mapping[str, Any]) -> None:
        """Add an item."""
        if self._is_list:
            self._items.write(b",\n" if self._num_items else b"\n")
        self._items.write(encode(item))
        if not self._is_list:
            self._items.write(b"\n")
        self._num_items += 1
        self._account.write()

    def drop(self, row: Any, reason: str, detail: str = "") -> None:
        """Set a row aside, with the reason that is counted and what is wrong with this one."""
        if self._dropped is None:
            self._dropped = _part(self.dropped_path).open("wb")
        self._dropped.write(encode({"row": row, "reason": reason, "detail": detail}) + b"\n")
        self._account.drop(reason)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put the files in place, or leave those of an earlier run as they are."""
        try:
            if kind is None:
                self._finish()
        finally:
            self._items.close()
            if self._dropped is not None:
                self._dropped.close()
            for path in (self.path, self.dropped_path, self.provenance_path):
                _part(path).unlink(missing_ok=True)

    def _finish(self) -> None:
        self._account.close()
        if self._is_list:
            self._items.write(b"\n]\n" if self._num_items else b"]\n")
        self._items.close()
        counts = {
            "read": self._account.num_read,
            "written": self._account.num_written,
            "dropped": self._account.dropped,
        }
        record = json.dumps({**self._provenance, **counts}, indent=2, ensure_ascii=False)
        _part(self.provenance_path).write_text(record + "\n", encoding="utf-8")
        if self._dropped is not None:
            self._dropped.close()
            _part(self.dropped_path).replace(self.dropped_path)
        else:
            self.dropped_path.unlink(missing_ok=True)  # of an earlier run
        _part(self.provenance_path).replace(self.provenance_path)
        _part(self.path).replace(self.path)


def refuse_replacing(inputs: Sequence[Path], outputs: Sequence[Path]) -> None:
    """Stop before a file that is read, or a folder, would be replaced by what is written.

    Raises:
        UsageError: If one of ``outputs`` is one of ``inputs``, or a folder.
    """
    read = {path.resolve() for path in inputs}
    for path in outputs:
        if path.resolve() in read:
            raise UsageError(
                f"{path} is what is read; writing would replace it.", hint="Name another output."
            )
        if path.is_dir():
            raise UsageError(f"{path} is a folder.", hint="Name a file to write.")


def refuse_empty(account: Account) -> None:
    """Stop before a dataset of nothing takes the place of a good one.

    Raises:
        AnnotationError: If nothing was written, with the reasons.
    """
    if account.num_written:
        return
    reasons = ", ".join(f"{reason} {count}" for reason, count in account.dropped.items())
    raise AnnotationError(
        f"None of {account.num_read} rows is left{': ' + reasons if reasons else ''}.",
        hint="Nothing was written. Check that the files belong together.",
    )


def encode(item: Any) -> bytes:
    """Return ``item`` as JSON on one line."""
    try:
        return orjson.dumps(item)
    except TypeError:  # half a surrogate pair, or a number above 64 bits: legal JSON all the same
        return json.dumps(item, separators=(",", ":")).encode()


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _fingerprint(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(2**20):
                digest.update(block)
            size = file.tell()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}.", hint="Check the name of the file."
        ) from error
    return {"name": path.name, "bytes": size, "sha256": digest.hexdigest()}


def _plain(value: Any) -> Any:
    return value.name if isinstance(value, Path) else value
