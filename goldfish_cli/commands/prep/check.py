"""``goldfish prep check``: what is wrong with training data, before training finds out."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from goldfish_cli.commands import options
from goldfish_cli.commands.output import note, progress, show
from goldfish_cli.commands.prep.result import finish
from goldfish_cli.errors import AnnotationError, InputError, UsageError

if TYPE_CHECKING:
    from goldfish_cli.data.prepare.check import Checker
    from goldfish_cli.data.prepare.check_rows import TextLimits
    from goldfish_cli.data.prepare.findings import Finding, Findings


def check(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="CSV, JSON, JSON lines, tars of images or folders of them. "
            "Several files are taken for splits.",
        ),
    ],
    videos: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the media. Default: they are not looked for."),
    ] = None,
    probe: options.Probe = "header",
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Draw the distributions there.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jsonl", help="Write every finding there, a line each."),
    ] = None,
    first: Annotated[
        int, typer.Option("--show", min=0, help="Findings of each kind that are shown.")
    ] = 5,
    split_key: Annotated[
        str, typer.Option(metavar="KEY", help="Field of a row that names its split.")
    ] = "split",
    one_split: Annotated[
        bool,
        typer.Option("--one-split", help="All rows are one split: videos may be in several files."),
    ] = False,
    tokens: Annotated[
        bool, typer.Option("--tokens/--no-tokens", help="Count tokens as the model does.")
    ] = True,
    workers: options.Workers = None,
    profile: options.ProfileName = None,
    model: options.ModelName = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    offline: options.Offline = False,
) -> None:
    """Say row by row what is wrong with training data and how to mend it.

    Every format that training reads is known. Errors end with exit code 3; warnings alone do not.
    In the account, written are the rows that are sound.

    Example: goldfish prep check train.json val.json --videos clips/ --report check.html
    """
    if out is not None and out.suffix != ".jsonl":
        raise UsageError(f"{out.name} is no .jsonl file.", hint="Such as: --out findings.jsonl")
    from goldfish_cli.data.prepare.account import Account
    from goldfish_cli.data.prepare.check import Checker, CheckSettings
    from goldfish_cli.data.prepare.check_report import write_report
    from goldfish_cli.data.prepare.findings import Findings
    from goldfish_cli.data.prepare.output import refuse_replacing

    refuse_replacing(files, [path for path in (report, out) if path is not None])
    began = time.monotonic()
    names = ", ".join(path.name for path in files)
    files = [part for path in files for part in _parts(path)]
    settings = CheckSettings(
        videos=videos,
        probe=probe,
        workers=workers or os.cpu_count() or 1,
        split_key=split_key,
        one_split=one_split,
        limits=_limits(profile, model, offline=offline, quiet=quiet) if tokens else None,
    )
    with _all_findings(out) as tell:
        findings = Findings(keep=first, tell=tell)
        checker = Checker(files, settings, findings)
        _run(checker, quiet=quiet or as_json)
    account = Account("check")
    checker.close(account)
    account.close()
    statistics = checker.statistics()
    if report is not None:
        write_report(report, f"Check of {names}", statistics, checker.distributions(), findings)
    if videos is None and any(path.suffix != ".tar" for path in files):
        note("Videos were not looked for; name their folder with --videos DIR.", quiet=quiet)
    if not as_json and not quiet:
        _show(findings, statistics)
    more = {
        "errors": findings.counts("error"),
        "warnings": findings.counts("warning"),
        "findings": findings.kept(),
        "statistics": statistics,
    }
    output = report or out or files[0]
    finish(account, output, began, as_json=as_json, quiet=quiet, more=more)
    if any(findings.counts("error").values()):
        bad = account.num_read - account.num_written
        raise AnnotationError(
            f"{bad} of {account.num_read} rows of {names} cannot be used.",
            hint="Every finding goes to a file with: --out findings.jsonl",
        )


def _parts(path: Path) -> list[Path]:
    """Return a file itself, or the tars of a folder."""
    if not path.is_dir():
        return [path]
    tars = sorted(path.glob("*.tar"))
    if not tars:
        raise AnnotationError(
            f"The folder {path} holds no tars.", hint="Name a file, and the videos with --videos."
        )
    return tars


def _limits(profile: str | None, model: str | None, *, offline: bool, quiet: bool) -> "TextLimits":
    from goldfish_cli.data.prepare.check_rows import TextLimits
    from goldfish_cli.model.token_counter import TokenCounter, find_tokenizer

    name = options.model_name(model)
    if options.is_default_model(model):
        note("Tokens are counted as minnow does; name your model with --model.", quiet=quiet)
    settings = options.profile_for(profile, name, spare_memory=True)
    counter = TokenCounter(find_tokenizer(name, offline=offline))
    return TextLimits(counter, settings.max_context_tokens, settings.max_text_tokens)


def _run(checker: "Checker", *, quiet: bool) -> None:
    with progress("Reading rows", unit="rows", quiet=quiet) as advance:
        for _ in checker.check_rows():
            advance(1)
    total = len(checker.media) if checker.media is not None else 0
    with progress("Looking into media", total, unit="files", quiet=quiet) as advance:
        for _ in checker.check_media():
            advance(1)
    with progress("Comparing rows", checker.num_rows, unit="rows", quiet=quiet) as advance:
        for _ in checker.compare_rows():
            advance(1)


@contextmanager
def _all_findings(path: Path | None) -> "Iterator[Callable[[Finding], None] | None]":
    """Give what writes each finding as a line of JSON, if they are wanted; whole or not at all."""
    if path is None:
        yield None
        return
    from dataclasses import asdict

    from goldfish_cli.data.prepare.output import encode

    partial = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:

            def tell(finding: "Finding") -> None:
                file.write(encode(asdict(finding)) + b"\n")

            yield tell
        partial.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}.", hint="Name another --out FILE.jsonl"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _show(findings: "Findings", statistics: dict[str, Any]) -> None:
    counts = {**findings.counts("error"), **findings.counts("warning")}
    before = ""
    for finding in findings.kept():
        if finding.kind != before:
            before = finding.kind
            show(f"{finding.severity}: {finding.kind} ({counts[finding.kind]})")
            show(f"  mend: {finding.mend}")
        where = finding.file if finding.row is None else f"{finding.file} row {finding.row}"
        show(f"  {where}{f' ({finding.id})' if finding.id else ''}: {finding.message}")
    for name, value in statistics.items():
        if isinstance(value, dict) and "median" in value:
            over = f", {value['over']} over {value['limit']}" if "over" in value else ""
            show(
                f"{name}: {value['min']} to {value['max']}, median {value['median']}, "
                f"95% up to {value['p95']}{over}"
            )
    answers = statistics["answers"]
    show(
        f"ids: {statistics['ids']}, turns: {statistics['turns']}, "
        f"captions: {statistics['captions']}, dialogues: {statistics['dialogues']}, "
        f"answers: {answers['count']}, different: {answers['distinct']}"
    )
    if len(statistics["splits"]) > 1:
        rows = ", ".join(f"{name} {count}" for name, count in statistics["splits"].items())
        show(f"splits: {rows}")
