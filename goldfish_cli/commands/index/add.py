"""``goldfish index VIDEO...``: cut films into clips, describe them, keep what is found."""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from goldfish_cli.commands.ask import _MINNOW, _notifier, _subtitles
from goldfish_cli.commands.index.folder import (
    IndexFolder,
    NoWait,
    folder_for,
    open_pictures,
    open_vectors,
    update_vectors,
)
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
from goldfish_cli.commands.output import one_line, progress, report_error, show, show_json
from goldfish_cli.commands.startup import without_collector
from goldfish_cli.errors import InputError, PartialError, UsageError, VideoError

if TYPE_CHECKING:
    from collections.abc import Callable

    from goldfish_cli.backends.base import VideoLanguageModel
    from goldfish_cli.data.features import FeatureStore
    from goldfish_cli.longvideo.indexer import IndexedFilm, IndexPlan
    from goldfish_cli.longvideo.store import IndexStore
    from goldfish_cli.longvideo.visual_models import VisualModel
    from goldfish_cli.profiles import Profile

PROMPT = "Describe in detail what happens in this clip: who and what is seen, and what they do."
WORLD_PROMPT = "Describe the video."
CLIP_SECONDS = 30.0


def add(
    videos: Annotated[
        list[Path] | None,
        typer.Argument(metavar="VIDEO...", help="Films, or subtitle files of films that are away."),
    ] = None,
    index: IndexFolder = None,
    clip_seconds: Annotated[
        str | None,
        typer.Option(
            metavar="SECONDS|shot",
            help="Length of a clip; shot: one clip a shot. Default: 30; minnow: shot.",
        ),
    ] = None,
    overlap: Annotated[
        float, typer.Option(min=0.0, help="Seconds that a clip shares with the one before.")
    ] = 0.0,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Frames of a clip that the model sees.")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What the model is asked about each clip.")
    ] = None,
    subtitles: Annotated[
        str,
        typer.Option(
            metavar="auto|none|whisper|FILE",
            help="auto: beside or inside the film; whisper: transcribe.",
        ),
    ] = "auto",
    embedder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What finds by meaning, beside words: none, hashing, a sentence-transformers "
            "model by id or folder, or openai:MODEL@URL. Default: the index's, or hashing.",
        ),
    ] = None,
    chroma: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="A Chroma server for the vectors. Default: in the index folder."
        ),
    ] = None,
    visual: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="What finds clips by their looks: a CLIP or SigLIP model of Transformers, by "
            "folder or id; own: none, only clips that look alike are told apart. "
            "Default: the index's, or own.",
        ),
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep the vision encoder's output there, so that another prompt or language "
            "model needs no encoder; 0.7 MB a frame with ViT-g. Default: not kept.",
        ),
    ] = None,
    chapters: Annotated[
        Literal["auto", "words", "model"],
        typer.Option(
            help="What tells of chapters and the whole film. words: the most telling ones of the "
            "clips; model: the model writes; auto: it does if it follows instructions."
        ),
    ] = "auto",
    as_reference: Annotated[
        bool,
        typer.Option(
            "--reference",
            help="As the published Goldfish: clips of 80 s, cut where they end, and its prompt.",
        ),
    ] = False,
    no_wait: NoWait = False,
    profile: ProfileName = None,
    model: ModelName = None,
    as_json: Json = False,
    quiet: Quiet = False,
    offline: Offline = False,
) -> None:
    """Put films into an index; only what is new or changed is done, and what was stopped goes on.

    Example: goldfish index film.mp4 --index films
    """
    index_videos(
        videos or [],
        index,
        clip_seconds=clip_seconds,
        overlap=overlap,
        frames=frames,
        prompt=prompt,
        subtitles=subtitles,
        embedder=embedder,
        chroma=chroma,
        visual=visual,
        features=features,
        chapters=chapters,
        as_reference=as_reference,
        no_wait=no_wait,
        profile=profile,
        model=model,
        quiet=quiet,
        offline=offline,
        report=partial(_report, as_json=as_json),
        bar=not as_json,
    )


def index_videos(
    paths: list[Path],
    index: Path | None,
    *,
    clip_seconds: str | None = None,
    overlap: float = 0.0,
    frames: int | None = None,
    prompt: str | None = None,
    subtitles: str = "auto",
    embedder: str | None = None,
    chroma: str | None = None,
    visual: str | None = None,
    features: Path | None = None,
    chapters: Literal["auto", "words", "model"] = "auto",
    as_reference: bool = False,
    no_wait: bool = False,
    profile: str | None = None,
    model: str | None = None,
    quiet: bool = False,
    offline: bool = False,
    report: "Callable[[IndexedFilm], None] | None" = None,
    bar: bool = True,
    notify: "Callable[[str], None] | None" = None,
) -> None:
    """Index films with the options of ``goldfish index``, and ``report`` on each.

    Raises:
        InputError: If a single film cannot be read.
        PartialError: If some of several cannot, or not wholly.
    """
    if not paths:
        raise UsageError("There is no film.", hint="Such as: goldfish index film.mp4")
    choice = _subtitles(subtitles)
    if isinstance(choice, Path) and len(paths) > 1:
        raise UsageError("One subtitle file cannot belong to several films.", hint="Name one film")
    if as_reference and (clip_seconds is not None or prompt is not None or overlap):
        raise UsageError(
            "--reference sets clips, overlap and prompt itself.", hint="Leave them out"
        )
    seconds = _seconds(clip_seconds, model_name(model))
    for path in paths[:1] if len(paths) == 1 else []:
        check_path(path)

    from goldfish_cli.backends.choose import check_name
    from goldfish_cli.longvideo.indexer import IndexPlan, is_subtitle_file
    from goldfish_cli.media.cutting import Cutting

    cutting = Cutting(seconds, overlap=overlap)
    if as_reference:
        from goldfish_cli.longvideo.reference import CLIP_SECONDS as REFERENCE_SECONDS
        from goldfish_cli.longvideo.reference import SUMMARY_PROMPT

        cutting, prompt = Cutting(REFERENCE_SECONDS, snap=0.0), SUMMARY_PROMPT
    notify = notify or _notifier(quiet=quiet)
    name = model_name(model)
    check_name(name, offline=offline)
    settings = profile_for(profile, name, max_frames=frames)
    backend = None
    if chapters == "model" or not all(is_subtitle_file(path) for path in paths):
        if is_default_model(model):
            notify(_MINNOW)
        backend = load(name, settings, offline=offline)
    writer = _writer(chapters, backend)
    kept = _feature_store(features, backend)
    plan = IndexPlan(
        cutting,
        backend.num_frames(settings) if backend else 1,
        prompt or (WORLD_PROMPT if name == "minnow" else PROMPT),
        subtitles=choice,
        max_new_tokens=settings.max_new_tokens,
    )

    from goldfish_cli.longvideo.store import IndexStore

    failed = 0
    with IndexStore.create_or_open(
        folder_for(index), wait_s=0 if no_wait else None, notify=notify
    ) as store:
        vectors = open_vectors(store, embedder, chroma, offline=offline)
        pictures = (
            open_pictures(store, visual, settings, offline=offline) if backend is not None else None
        )
        for path in paths:
            try:
                check_path(path)
                done = _index_one(
                    store,
                    None if is_subtitle_file(path) else backend,
                    path,
                    plan,
                    settings,
                    pictures=pictures,
                    features=kept,
                    writer=writer,
                    offline=offline,
                    quiet=quiet,
                    bar=bar,
                )
            except InputError as error:
                if len(paths) == 1:
                    raise
                told = str(error)
                named = told if path.name in told else f"{path.name}: {told}"
                report_error(named, error.hint)
                failed += 1
                continue
            failed += done.failed > 0
            if report is not None:
                report(done)
        update_vectors(store, vectors, quiet=quiet or not bar)
    if failed == len(paths) > 1:
        raise VideoError("None of the films could be read, or not wholly.")
    if failed:
        raise PartialError(
            f"{failed} of {len(paths)} films could not be read, or not wholly; the rest is done.",
            hint="See: goldfish index verify",
        )


def check_path(path: Path) -> None:
    """Refuse a file that is not there, or whose name cannot be written down.

    Raises:
        VideoError: Saying which.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise VideoError(
            f"The name of {str(path)!a} is no UTF-8 text.", hint="Rename the file"
        ) from error
    if not path.exists():
        raise VideoError(f"There is no file {path}.", hint="Check the path")


def _index_one(
    store: "IndexStore",
    backend: "VideoLanguageModel | None",
    path: Path,
    plan: "IndexPlan",
    settings: "Profile",
    *,
    pictures: "VisualModel | None",
    features: "FeatureStore | None",
    writer: "VideoLanguageModel | None",
    offline: bool,
    quiet: bool,
    bar: bool,
) -> "IndexedFilm":
    from platformdirs import user_cache_path

    from goldfish_cli.longvideo.indexer import index_film
    from goldfish_cli.media.video import probe

    length = probe(path).duration if backend else None
    work = index_film(
        store,
        backend,
        path,
        plan,
        settings,
        pictures=pictures,
        features=features,
        writer=writer,
        cache_dir=user_cache_path("goldfish", appauthor=False),
        offline=offline,
        notify=_notifier(quiet=quiet),
    )
    reached = 0.0
    with progress(path.name, length, unit="s of film", quiet=quiet or not bar) as advance:
        while True:
            try:
                done = next(work)
            except StopIteration as stop:
                result: IndexedFilm = stop.value
                return result
            advance(done.seconds - reached)
            reached = done.seconds


def load(name: str, settings: "Profile", *, offline: bool) -> "VideoLanguageModel":
    """Load the model that looks at films."""
    with without_collector():
        from goldfish_cli.backends.choose import load_backend

        return load_backend(
            name, settings, offline=offline, api_key=os.environ.get("OPENAI_API_KEY")
        )


def _feature_store(
    folder: Path | None, backend: "VideoLanguageModel | None"
) -> "FeatureStore | None":
    """Open the store of ``--features``.

    Raises:
        UsageError: If the model's encoder gives nothing that could be kept.
    """
    if folder is None or backend is None:
        return None
    from goldfish_cli.backends.base import KeepsFeatures
    from goldfish_cli.data.features import FeatureStore

    if not isinstance(backend, KeepsFeatures):
        raise UsageError(
            f"--features keeps what a Goldfish model's encoder gives; {backend.name} is none.",
            hint="Leave out --features",
        )
    return FeatureStore(folder)


def _writer(
    chapters: Literal["auto", "words", "model"], backend: "VideoLanguageModel | None"
) -> "VideoLanguageModel | None":
    """Choose what writes the chapters; ``None``: the clips' own words.

    Raises:
        UsageError: If the model is to write them and cannot.
    """
    if chapters == "words" or backend is None:
        return None
    if backend.follows_instructions:
        return backend
    if chapters == "model":
        raise UsageError(
            f"{backend.name} does not follow instructions, so it writes no chapters.",
            hint="Choose a larger model, or --chapters words",
        )
    return None


def _report(done: "IndexedFilm", *, as_json: bool) -> None:
    if as_json:
        show_json(done)
        return
    parts = [f"{done.new} new", f"{done.reused} reused"]
    if done.failed:
        parts.append(f"{done.failed} failed")
    clips = "1 clip" if done.clips == 1 else f"{done.clips} clips"
    show(f"{one_line(done.video)}: {clips} ({', '.join(parts)}) in {done.seconds:.1f} s")


def _seconds(text: str | None, model: str) -> float | None:
    """Return the length of a clip in seconds; ``None``: one clip a shot."""
    if text is None:
        return None if model == "minnow" else CLIP_SECONDS
    if text == "shot":
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 1.0 <= seconds < float("inf"):
        raise UsageError(
            f"--clip-seconds is {text}; it takes a number from 1 on, or shot.",
            hint="Such as: --clip-seconds 30",
        )
    return seconds
