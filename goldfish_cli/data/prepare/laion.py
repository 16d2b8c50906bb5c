"""Make WebDataset tars of pictures and captions from folders, tars or tables of addresses."""

import hashlib
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from goldfish_cli.data.prepare.captions import CaptionStyle, normalise_caption
from goldfish_cli.data.prepare.downloads import Downloads
from goldfish_cli.data.prepare.image_checks import ImageRules, Picture, check_image
from goldfish_cli.data.prepare.image_pair import ImagePair
from goldfish_cli.data.prepare.image_sources import ImageSource, read_source
from goldfish_cli.data.prepare.in_order import done, in_order
from goldfish_cli.data.prepare.output import provenance
from goldfish_cli.data.prepare.refusal import Refusal
from goldfish_cli.data.prepare.shards import ShardFolder
from goldfish_cli.data.prepare.web import WebLimits
from goldfish_cli.data.prepare.web_outage import OutageGuard
from goldfish_cli.errors import UsageError

KIND = "laion"
_Body = Path | bytes | Refusal  # where the picture is, or why there is none


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """What becomes of the pairs of a source."""

    limit: int | None = None
    """Pairs to write; ``None``: all."""
    shard_size: int = 1000
    captions: CaptionStyle = "clean"
    max_words: int = 50
    rules: ImageRules = field(default_factory=ImageRules)
    web: WebLimits = field(default_factory=WebLimits)

    def settings(self, source: ImageSource) -> dict[str, Any]:
        """Return what decides the result; what only decides how fast it comes is left out."""
        downloads = {
            "timeout_s": self.web.timeout_s,
            "retries": self.web.retries,
            "allow_private": self.web.allow_private,
            "url_column": source.columns[0],
            "caption_column": source.columns[1],
        }
        return {
            "source": source.kind,
            "limit": self.limit,
            "shard_size": self.shard_size,
            "captions": self.captions,
            "max_words": self.max_words,
            **asdict(self.rules),
            **(downloads if source.is_remote else {}),
        }


@dataclass(frozen=True, slots=True)
class _Row:
    number: int  # in the source, from 0
    pair: ImagePair
    caption: str

    @property
    def refusal(self) -> Refusal | None:
        """What is wrong with it before anyone looked at its picture."""
        if self.pair.problem:
            return Refusal(self.pair.problem)
        return None if self.caption else Refusal("no-caption")


def open_shards(source: ImageSource, out: Path, plan: ImagePlan) -> ShardFolder:
    """Return the folder that ``write_images`` fills; entering it may continue a stopped run.

    Raises:
        UsageError: If ``out`` lies inside the source, which would read what it writes.
    """
    if source.root.is_dir() and out.resolve().is_relative_to(source.root.resolve()):
        raise UsageError(
            f"{out} lies inside the source {source.root}.", hint="Name another folder with --out"
        )
    claim = {**plan.settings(source), "inputs": _listing(source, with_times=True)}
    return ShardFolder(out, KIND, claim, shard_size=plan.shard_size)


def write_images(
    source: ImageSource, shards: ShardFolder, plan: ImagePlan, *, workers: int = 1
) -> Iterator[bool]:
    """Check the pairs of a source, write the good ones in order, and put the shards in place.

    Args:
        source: As ``open_source`` returns it.
        shards: As ``open_shards`` returns it, entered.
        plan: What becomes of the pairs.
        workers: Threads that decode pictures.

    Yields:
        For each row that is read, whether its picture was written.

    Raises:
        InputError: If the source breaks off, the network is down, or nothing is left.
    """
    account, is_full = shards.account, shards.account.num_written == plan.limit
    with ExitStack() as stack:
        downloads = None
        if source.is_remote:
            downloads = Downloads(shards.downloads, plan.web)
            stack.enter_context(downloads)
        pool = stack.enter_context(ThreadPoolExecutor(workers))
        rows = _read_rows(source, plan, skip=shards.done.rows)
        checked = stack.enter_context(closing(_check(rows, downloads, pool, workers, plan.rules)))
        for row, outcome in () if is_full else checked:
            account.read()
            shards.memo["files"] = row.pair.file + 1
            if isinstance(outcome, Refusal):
                shards.drop(_about(row), outcome.reason, outcome.detail)
            else:
                size = {"width": outcome.width, "height": outcome.height}
                is_whole = shards.write(f"{row.number:09d}", outcome.jpeg, _about(row) | size)
                if is_whole and downloads:
                    downloads.forget(before=row.number + 1)
            yield isinstance(outcome, Picture)
            if account.num_written == plan.limit:
                break
    shards.finish(_provenance(source, plan, shards.memo.get("files", 0)))


def _read_rows(source: ImageSource, plan: ImagePlan, *, skip: int) -> Iterator[_Row]:
    for number, pair in enumerate(read_source(source)):
        if number >= skip:
            caption = normalise_caption(pair.caption, plan.captions, max_words=plan.max_words)
            yield _Row(number, pair, caption)


def _check(
    rows: Iterable[_Row],
    downloads: Downloads | None,
    pool: ThreadPoolExecutor,
    workers: int,
    rules: ImageRules,
) -> Generator[tuple[_Row, Picture | Refusal], None, None]:
    """Yield each row with its picture, downloaded and decoded ahead."""

    def submit(found: tuple[_Row, _Body]) -> "Future[Picture | Refusal]":
        body = found[1]
        return done(body) if isinstance(body, Refusal) else pool.submit(_read, body, rules)

    located = _locate(rows) if downloads is None else _download(rows, downloads)
    with closing(located), closing(in_order(submit, located, window=4 * workers)) as checked:
        for (row, _), outcome in checked:
            yield row, outcome


def _locate(rows: Iterable[_Row]) -> Generator[tuple[_Row, _Body], None, None]:
    for row in rows:
        yield row, row.refusal or row.pair.image or Refusal("no-image")


def _download(
    rows: Iterable[_Row], downloads: Downloads
) -> Generator[tuple[_Row, _Body], None, None]:
    def begin(row: _Row) -> "Future[Path | Refusal]":
        return done(row.refusal) if row.refusal else downloads.begin(row.number, row.pair.source)

    guard = OutageGuard()
    with closing(in_order(begin, rows, window=downloads.window)) as found:
        for row, outcome in found:
            if row.refusal is None:
                guard.note(outcome)
            yield row, outcome
    guard.close()


def _read(body: Path | bytes, rules: ImageRules) -> Picture | Refusal:
    try:
        if isinstance(body, bytes):
            return check_image(body, rules)
        with body.open("rb") as file:
            return check_image(file.read(rules.max_bytes + 1), rules)
    except Refusal as refusal:
        return refusal
    except OSError as error:
        return Refusal("unreadable-file", error.strerror or str(error))


def _about(row: _Row) -> dict[str, Any]:
    return {"caption": row.caption, "source": row.pair.source}


def _provenance(source: ImageSource, plan: ImagePlan, num_files: int) -> dict[str, Any]:
    settings = plan.settings(source)
    if source.kind == "folder":
        settings["folder"] = _listing(source, with_times=False)
    inputs = [] if source.kind == "folder" else source.files[:num_files]
    return provenance(KIND, inputs, settings)


def _listing(source: ImageSource, *, with_times: bool) -> dict[str, Any]:
    """Sum up which files a source has, without reading them."""
    digest = hashlib.sha256()
    for file in source.files:
        about = file.stat()
        name = file.name if file == source.root else file.relative_to(source.root).as_posix()
        moment = about.st_mtime_ns if with_times else ""
        digest.update(f"{name}\0{about.st_size}\0{moment}\n".encode("utf-8", "surrogateescape"))
    return {"files": len(source.files), "sha256": digest.hexdigest()}
