"""``goldfish prep subtitles``: what is said in each video of a folder, as files beside them."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from goldfish_cli.commands import options
from goldfish_cli.commands.output import note, progress
from goldfish_cli.commands.prep.result import finish

if TYPE_CHECKING:
    from goldfish_cli.media.speech import Transcriber


def subtitles(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Videos at any depth; the files go beside them.")
    ],
    source: Annotated[
        Literal["auto", "embedded", "whisper"],
        typer.Option(
            help="embedded: a text stream inside the video. whisper: transcribe the speech. "
            "auto: transcribe where there is no such stream."
        ),
    ] = "auto",
    whisper_model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE", help="tiny, base, small ..., or weights. Default: the profile's."
        ),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="Spoken language, such as en. Default: detected."),
    ] = None,
    profile: options.ProfileName = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    offline: options.Offline = False,
) -> None:
    """Write clip.srt beside each clip.mp4, extracted from it or transcribed by Whisper.

    Files that are there already are left alone, unless this command wrote them with other settings.
    The same command continues where it was stopped. DIR/subtitles.jsonl lists what was made.

    Example: goldfish prep subtitles clips/ --whisper-model small --language en
    """
    from goldfish_cli.data.prepare.account import Account
    from goldfish_cli.data.prepare.output import PreparedFile, provenance
    from goldfish_cli.data.prepare.subtitles import (
        find_videos,
        make_subtitles,
        record_outcomes,
    )

    began, reused = time.monotonic(), 0
    videos = find_videos(folder)
    transcriber = None
    if source != "embedded":
        transcriber = _transcriber(profile, whisper_model, language, offline=offline)
    settings = {
        "source": source,
        "whisper": transcriber and transcriber.name,
        "language": language,
    }
    account = Account("subtitles")
    made_from = provenance("subtitles", [], settings)
    with (
        PreparedFile(folder / "subtitles.jsonl", account, provenance=made_from) as output,
        progress("Subtitles", len(videos), unit="videos", quiet=quiet or as_json) as advance,
    ):
        made = make_subtitles(folder, videos, source=source, transcriber=transcriber)
        for outcome in record_outcomes(made, output, account):
            reused += outcome.reused
            advance(1)
    if reused:
        note(f"{reused} of {len(videos)} videos were done already.", quiet=quiet)
    finish(account, output.path, began, as_json=as_json, quiet=quiet)


def _transcriber(
    profile: str | None, model: str | None, language: str | None, *, offline: bool
) -> "Transcriber":
    from platformdirs import user_cache_path

    from goldfish_cli.media.speech import Transcriber

    settings = options.profile_for(profile)
    return Transcriber(
        model=model or settings.whisper_model,
        device="cpu" if settings.device == "mps" else settings.device,
        language=language,
        cache_dir=user_cache_path("goldfish", appauthor=False),
        offline=offline,
    )
