"""``goldfish ask``: questions about one video, answered on stdout."""

import math
import os
import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from goldfish_cli.commands.options import (
    Json,
    ModelName,
    Offline,
    ProfileName,
    Quiet,
    is_default_model,
    model_name,
    profile_for,
)
from goldfish_cli.commands.output import note, report_error, show
from goldfish_cli.commands.startup import without_collector
from goldfish_cli.commands.times import parse_time
from goldfish_cli.commands.turns import show_turn
from goldfish_cli.errors import DoesNotFitError, PartialError, UsageError, VideoError

if TYPE_CHECKING:
    from goldfish_cli.inference.conversation import Conversation
    from goldfish_cli.media.sampling import PlanKind

SubtitleChoice = Literal["auto", "none", "whisper"]

_LOOK = "What to look at"
_GENERATION = "How to answer"
_MINNOW = (
    "Using minnow, the bundled model, which knows Shapes World only; choose a real one with "
    "--model or GOLDFISH_MODEL."
)


def ask(
    video: Annotated[
        Path, typer.Argument(metavar="VIDEO", help="A video, an image, or a folder of frames.")
    ],
    questions: Annotated[
        list[str] | None,
        typer.Argument(metavar="QUESTION", help="One or several; - reads one from stdin."),
    ] = None,
    question_file: Annotated[
        Path | None,
        typer.Option(
            "--questions",
            metavar="FILE",
            help="More questions: one a line, or JSON or JSONL with the key question.",
        ),
    ] = None,
    chat: Annotated[
        bool, typer.Option("--chat", help="Keep asking; answers remember the turns before.")
    ] = False,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Frames to look at.", rich_help_panel=_LOOK)
    ] = None,
    start: Annotated[
        float | None,
        typer.Option(
            parser=parse_time,
            metavar="TIME",
            help="Look only from here: seconds, mm:ss or hh:mm:ss.",
            rich_help_panel=_LOOK,
        ),
    ] = None,
    end: Annotated[
        float | None,
        typer.Option(
            parser=parse_time, metavar="TIME", help="Look only up to here.", rich_help_panel=_LOOK
        ),
    ] = None,
    subtitles: Annotated[
        str,
        typer.Option(
            metavar="auto|none|whisper|FILE",
            help="auto: beside or inside the video; whisper: transcribe.",
            rich_help_panel=_LOOK,
        ),
    ] = "auto",
    sampling: Annotated[
        Literal["uniform", "fps", "keyframes", "scene", "reference"] | None,
        typer.Option(help="How frames are chosen. Default: the profile's.", rich_help_panel=_LOOK),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(min=0.001, help="Frames a second, for --sampling fps.", rich_help_panel=_LOOK),
    ] = None,
    decoder: Annotated[
        Literal["auto", "av", "decord"],
        typer.Option(help="What reads the video.", rich_help_panel=_LOOK),
    ] = "auto",
    max_new_tokens: Annotated[
        int | None,
        typer.Option(
            min=1, help="Longest answer. Default: the profile's.", rich_help_panel=_GENERATION
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="Above 0: draw each token instead of taking the likeliest.",
            rich_help_panel=_GENERATION,
        ),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Draw among the likeliest that have this probability together.",
            rich_help_panel=_GENERATION,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=2**32 - 1,
            help="When drawing: same seed, same answer on one machine.",
            rich_help_panel=_GENERATION,
        ),
    ] = None,
    profile: ProfileName = None,
    model: ModelName = None,
    as_json: Json = False,
    quiet: Quiet = False,
    offline: Offline = False,
) -> None:
    """Ask questions about a video; all of them cost one decode and one encode.

    Answers go to stdout, everything else to stderr. The same command gives the same answers.

    Example: goldfish ask clip.mp4 "What happens first?" "Which shape grows?" --end 1:30
    """
    asked = _collect(questions or [], question_file, chat=chat)
    temperature, top_p = _drawing(temperature, top_p)

    from goldfish_cli.inference.clip import Look, inspect

    look = Look(
        video,
        start=start,
        end=end,
        num_frames=frames,
        sampling=_sampling(sampling, fps),
        fps=fps,
        subtitles=_subtitles(subtitles),
        decoder=decoder,
    )
    if re.match(r"[a-z][a-z0-9+.-]+:/", str(video)) and not video.exists():
        raise VideoError(f"{video} is an address, not a file.", hint="Download it first")
    info = inspect(look)  # before torch, so that a wrong path or time is told at once
    notify = _notifier(quiet=quiet)
    if is_default_model(model):
        notify(_MINNOW)
    if temperature and seed is None:
        seed = secrets.randbelow(2**31)
        notify(f"Drawing with --seed {seed}; the same seed gives the same answers.")
    with without_collector():
        name = model_name(model)
        settings = profile_for(profile, name, max_frames=frames, max_new_tokens=max_new_tokens)

        from platformdirs import user_cache_path

        from goldfish_cli.backends.base import GenerationSettings
        from goldfish_cli.backends.choose import load_backend
        from goldfish_cli.inference.clip import watch
        from goldfish_cli.inference.conversation import Conversation

        api_key = os.environ.get("OPENAI_API_KEY")
        backend = load_backend(name, settings, offline=offline, api_key=api_key)
    for text in backend.notes:
        notify(text)
    clip = watch(
        backend,
        look,
        settings,
        info=info,
        cache_dir=user_cache_path("goldfish", appauthor=False),
        offline=offline,
        notify=notify,
    )
    conversation = Conversation(
        backend,
        clip,
        profile=settings,
        settings=GenerationSettings(settings.max_new_tokens, temperature, top_p, seed),
        remember=chat,
        notify=notify,
    )
    _answer_all(conversation, asked, as_json=as_json)
    if chat:
        from goldfish_cli.commands.chat import converse

        converse(conversation, as_json=as_json, quiet=quiet)


def _collect(questions: list[str], path: Path | None, *, chat: bool) -> list[str]:
    """Gather the questions from the arguments, stdin and a file, and check them."""
    from goldfish_cli.inference.questions import check_question, read_questions

    if "-" in questions and (chat or questions.count("-") > 1):
        raise UsageError(
            "Stdin can be read once: as a question (-), or by --chat.", hint="Leave one of them out"
        )
    asked = [_from_stdin() if text == "-" else text for text in questions]
    asked = [check_question(text) for text in asked] + (read_questions(path) if path else [])
    if not asked and not chat:
        raise UsageError(
            "There is no question.", hint='Such as: goldfish ask clip.mp4 "What happens?"'
        )
    return asked


def _from_stdin() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"The question on stdin is not {error.encoding} text.", hint="Send it as UTF-8"
        ) from error


def _drawing(temperature: float | None, top_p: float | None) -> tuple[float, float]:
    """Settle temperature and top_p; greedy, which is temperature 0, unless one of them is given."""
    if temperature == 0 and top_p is not None:
        raise UsageError(
            "--top-p has no effect at --temperature 0, which never draws.",
            hint="Leave out one of them",
        )
    if temperature is None:
        temperature = 0.0 if top_p is None else 1.0
    return temperature, 1.0 if top_p is None else top_p


def _sampling(sampling: "PlanKind | None", fps: float | None) -> "PlanKind | None":
    if fps is not None and not math.isfinite(fps):
        raise UsageError(f"--fps is {fps:g}, which is no rate.", hint="Such as: --fps 1")
    if fps is None or sampling == "fps":
        return sampling
    if sampling is not None:
        raise UsageError(f"--fps does not go with --sampling {sampling}.", hint="Leave out one")
    return "fps"


def _subtitles(choice: str) -> SubtitleChoice | Path:
    choices: dict[str, SubtitleChoice] = {name: name for name in get_args(SubtitleChoice)}
    return choices.get(choice) or Path(choice)


def _notifier(*, quiet: bool) -> Callable[[str], None]:
    """Make a function that writes a note, once however often it comes up."""
    said: set[str] = set()

    def notify(text: str) -> None:
        if text not in said:
            said.add(text)
            note(text, quiet=quiet)

    return notify


def _answer_all(conversation: "Conversation", questions: list[str], *, as_json: bool) -> None:
    """Answer each question; one that does not fit is reported and the others are answered."""
    failures = 0
    for number, question in enumerate(questions):
        if number and not as_json:
            show("")
        try:
            show_turn(conversation, question, as_json=as_json, titled=len(questions) > 1)
        except DoesNotFitError as error:
            if len(questions) == 1:
                raise
            report_error(str(error), error.hint)
            failures += 1
    if failures:
        raise PartialError(f"{failures} of {len(questions)} questions have no answer.")
