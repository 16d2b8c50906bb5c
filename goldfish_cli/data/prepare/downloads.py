"""Download the pictures of rows into a folder, many at once, so that a stopped run finds them."""

import json
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from goldfish_cli.data.prepare.in_order import done
from goldfish_cli.data.prepare.refusal import Refusal
from goldfish_cli.data.prepare.web import Web, WebLimits
from goldfish_cli.data.prepare.web_thread import WebThread


class Downloads:
    """The bodies behind the addresses of rows, by the number of the row. Use as a context.

    Args:
        folder: Where they are kept until ``forget``; may hold those of a stopped run.
        limits: What one address may cost.
    """

    def __init__(self, folder: Path, limits: WebLimits) -> None:
        self._folder = folder
        self._web = WebThread(limits)
        self._failures_file = folder / "failures.jsonl"
        self._failures: dict[int, Refusal] = {}
        self._open = ExitStack()

    def __enter__(self) -> "Downloads":
        """Read what a stopped run has left, and start the client."""
        self._folder.mkdir(exist_ok=True)
        self._failures = dict(self._read_failures())
        self._journal = self._open.enter_context(self._failures_file.open("ab"))
        self._open.enter_context(self._web)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop what is under way."""
        self._open.close()

    @property
    def window(self) -> int:
        """How many rows to begin before the first of them is needed."""
        return self._web.window

    def begin(self, number: int, url: str) -> "Future[Path | Refusal]":
        """Start a download, unless it is here already; the result is a file, or why there is none.

        Args:
            number: Of the row.
            url: Its address.
        """
        path = self._folder / f"{number:09d}.body"
        known = path if path.exists() else self._failures.get(number)
        if known is not None:
            return done(known)
        return self._web.submit(lambda web: self._fetch(web, number, url, path))

    def forget(self, before: int) -> None:
        """Delete what is kept of the rows below ``before``."""
        for path in self._folder.glob("*.body"):
            if int(path.stem) < before:
                path.unlink()

    async def _fetch(self, web: Web, number: int, url: str, path: Path) -> Path | Refusal:
        try:
            body = await web.download(url)
        except Refusal as refusal:
            if refusal.lasting:
                record = {"row": number, "reason": refusal.reason, "detail": refusal.detail}
                self._journal.write(b"\n" + json.dumps(record).encode())  # after a cut line, too
                self._journal.flush()
            return refusal
        beside = path.with_suffix(".new")
        beside.write_bytes(body)
        return beside.replace(path)

    def _read_failures(self) -> Iterator[tuple[int, Refusal]]:
        """Read the journal; a line may have been cut when a run was killed."""
        if not self._failures_file.exists():
            return
        for line in self._failures_file.read_bytes().splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            yield record["row"], Refusal(record["reason"], record["detail"])
