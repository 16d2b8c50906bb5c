"""``goldfish longask``: a question about films, answered from an index with its evidence."""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goldfish_cli.commands.ask import _MINNOW, _notifier
from goldfish_cli.commands.index.add import index_videos, load
from goldfish_cli.commands.index.folder import (
    IndexFolder,
    NoWait,
    find_one,
    folder_for,
    is_file,
    pictures_of,
    vectors_of,
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
from goldfish_cli.commands.output import show, show_json, table, write_text
from goldfish_cli.errors import (
    IndexFolderError,
    PartialError,
    UnsupportedAnswerError,
    UsageError,
    VideoError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from goldfish_cli.backends.base import VideoLanguageModel
    from goldfish_cli.longvideo.answers import LongAnswer
    from goldfish_cli.longvideo.records import FilmRecord
    from goldfish_cli.longvideo.view import IndexView
    from goldfish_cli.profiles import Profile


def longask(
    films_and_question: Annotated[
        list[str],
        typer.Argument(
            metavar="[FILM...] QUESTION",
            help="Films to ask about, by path, name or id, and the question last. No film: all of "
            "the index. A video that is not in the index is indexed first.",
        ),
    ],
    index: IndexFolder = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 7 if nothing in the index bears it out.")
    ] = False,
    clips: Annotated[
        int,
        typer.Option(
            "--budget",
            min=0,
            metavar="CLIPS",
            help="Clips that may be looked at again; 0: answer from the index alone.",
        ),
    ] = 8,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--budget-seconds",
            min=0.0,
            metavar="SECONDS",
            help="No clip is looked at any more after so long.",
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show on stderr how the answer came about.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the answer as a page as well: timeline, pictures, subtitles, a player.",
        ),
    ] = None,
    as_reference: Annotated[
        bool,
        typer.Option(
            "--reference",
            help="Answer as the published Goldfish does, to compare: the three nearest documents, "
            "no frame looked at. Index with --reference first.",
        ),
    ] = False,
    open_: Annotated[
        int | None,
        typer.Option(
            "--open", min=1, metavar="N", help="Play the film at citation N when it is answered."
        ),
    ] = None,
    no_wait: NoWait = False,
    profile: ProfileName = None,
    model: ModelName = None,
    as_json: Json = False,
    quiet: Quiet = False,
    offline: Offline = False,
) -> None:
    """Answer a question about films of any length, with the places that bear the answer out.

    Times and quotes come from the index, never from a model's words.

    Example: goldfish longask film.mp4 "When does the green star appear?"
    """
    *names, question = films_and_question
    if not names and is_file(question):
        raise UsageError(
            f"{question} is a file, not a question.", hint='The question comes last: "What ...?"'
        )

    from goldfish_cli.inference.questions import check_question

    question = check_question(question)
    if not is_default_model(model):
        from goldfish_cli.backends.choose import check_name

        check_name(model_name(model), offline=offline)
    notify = _notifier(quiet=quiet)
    folder = folder_for(index)
    _index_missing(
        names,
        index,
        no_wait=no_wait,
        profile=profile,
        model=model,
        quiet=quiet,
        offline=offline,
        notify=notify,
    )

    from goldfish_cli.longvideo.coordinator import Budget, Coordinator
    from goldfish_cli.longvideo.looking import Looker
    from goldfish_cli.longvideo.store import IndexStore

    with IndexStore.read(folder) as store:
        films = _films(store, names)
        name = _looking_model(model, films)
        if name == "minnow" and is_default_model(model):
            notify(_MINNOW)
        looker = None
        if clips and name is not None and not as_reference:
            looker = Looker(*_loader(name, profile, offline=offline), notify)
        if as_reference:
            answer = _reference(store, question, films, name, profile, offline=offline)
        else:
            vectors = vectors_of(store, notify, offline=offline)
            pictures = pictures_of(store, films, notify, offline=offline)
            budget = Budget(clips, seconds)
            coordinator = Coordinator(
                store, looker, vectors=vectors, pictures=pictures, budget=budget
            )
            answer = coordinator.answer(question, films)
        if html is not None:
            _write_page(store, answer, films, html)
    if answer.coverage < 1.0:
        notify(f"{answer.coverage:.0%} of the film is indexed; the answer is about that part.")
    _show(answer, as_json=as_json)
    if explain:
        _explain(answer)
    if open_ is not None:
        _open(answer, films, open_)
    if strict and not answer.is_supported:
        raise UnsupportedAnswerError(
            "Nothing in the index bears the answer out.",
            hint="Ask in other words, or of more films",
        )


def _index_missing(
    names: list[str],
    index: Path | None,
    *,
    no_wait: bool,
    profile: str | None,
    model: str | None,
    quiet: bool,
    offline: bool,
    notify: "Callable[[str], None]",
) -> None:
    """Index the named videos that the index does not hold, or not wholly."""
    from goldfish_cli.longvideo.store import IndexStore
    from goldfish_cli.media.video import media_hash

    paths = [Path(name) for name in names if is_file(name)]
    if not paths:
        return
    known: dict[str, FilmRecord] = {}
    if (folder_for(index) / "index.sqlite").exists():
        with IndexStore.read(folder_for(index)) as store:
            known = {film.id: film for film in store.films()}
    found = {path: known.get(media_hash(path)) for path in paths}
    missing = [path for path, film in found.items() if film is None or not film.complete]
    if not missing:
        return
    try:
        index_videos(
            missing,
            index,
            no_wait=no_wait or None not in found.values(),
            profile=profile,
            model=model,
            quiet=quiet,
            offline=offline,
            notify=notify,
        )
    except (PartialError, IndexFolderError) as error:
        if None in found.values() and isinstance(error, IndexFolderError):
            raise
        notify(str(error))  # the others can be asked, and so can what is there of this one


def _films(store: "IndexView", names: list[str]) -> "Sequence[FilmRecord]":
    """The films that are named, by content where a file of that name is at hand; else all."""
    from goldfish_cli.media.video import media_hash

    if not names:
        return store.films()
    found = {}
    for name in names:
        film = store.film(media_hash(Path(name))) if is_file(name) else None
        film = film or find_one(store, name)
        found[film.id] = film
    return list(found.values())


def _looking_model(chosen: str | None, films: "Sequence[FilmRecord]") -> str | None:
    """The model that looks again: the one asked for, else the one that indexed the films."""
    if not is_default_model(chosen):
        return model_name(chosen)
    used = {film.settings.get("model") for film in films} - {None}
    if len(used) > 1:
        raise IndexFolderError(
            f"The films were indexed by different models: {', '.join(sorted(map(str, used)))}.",
            hint="Choose which one looks again: --model NAME",
        )
    return str(used.pop()) if used else None


def _loader(
    name: str, profile: str | None, *, offline: bool
) -> "tuple[Callable[[], VideoLanguageModel], Profile]":
    """What loads the model, once a clip has to be looked at; loading takes seconds."""
    settings = profile_for(profile, name, spare_memory=True)
    return partial(load, name, settings, offline=offline), settings


def _reference(
    store: "IndexView",
    question: str,
    films: "Sequence[FilmRecord]",
    name: str | None,
    profile: str | None,
    *,
    offline: bool,
) -> "LongAnswer":
    from goldfish_cli.longvideo.embeddings import choose_embedder
    from goldfish_cli.longvideo.reference import CLIP_SECONDS, answer_as_reference
    from goldfish_cli.longvideo.vectors import embedder_of

    if name is None or any(film.settings.get("seconds") != CLIP_SECONDS for film in films):
        raise IndexFolderError(
            "The index is not made as the reference makes it: of clips of 80 s.",
            hint="Make another: goldfish index --reference VIDEO --index DIR",
        )
    embedder = choose_embedder(
        embedder_of(store)[0], offline=offline, api_key=os.environ.get("OPENAI_API_KEY")
    )
    if embedder is None:
        raise UsageError("The reference needs an embedder.", hint="Index with --embedder hashing")
    load_now, settings = _loader(name, profile, offline=offline)
    return answer_as_reference(store, load_now(), settings, embedder, question, films)


def _show(answer: "LongAnswer", *, as_json: bool) -> None:
    from goldfish_cli.commands.turns import printable
    from goldfish_cli.longvideo.clock import span

    if as_json:
        show_json(answer)
        return
    show(printable(answer.answer))
    if not answer.citations:
        return
    show("")
    several = len({one.video for one in answer.citations}) > 1
    rows = [
        [
            number,
            *([Path(one.video).name] if several else []),
            span(one.start, one.end),
            printable(" ".join(one.text.split())),
            "" if one.supported else "not borne out",
        ]
        for number, one in enumerate(answer.citations, start=1)
    ]
    table(["", *(["film"] if several else []), "time", "evidence", ""], rows)


def _write_page(
    store: "IndexView", answer: "LongAnswer", films: "Sequence[FilmRecord]", path: Path
) -> None:
    from goldfish_cli.longvideo.page import page

    write_text(path, page(store, answer, films), overwrite=(".html", ".htm"))


def _explain(answer: "LongAnswer") -> None:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    from goldfish_cli.commands.turns import printable

    tree = Tree(Text(printable(answer.question)))
    for step in answer.steps:
        tree.add(Text(printable(f"{step.state}: {step.detail}  ({step.seconds:.3f} s)")))
    Console(stderr=True).print(tree)


def _open(answer: "LongAnswer", films: "Sequence[FilmRecord]", number: int) -> None:
    from goldfish_cli.commands.player import play
    from goldfish_cli.longvideo.looking import locate

    if number > len(answer.citations):
        raise UsageError(
            f"There is no citation {number}; the answer has {len(answer.citations)}.",
            hint="Leave out --open to see them",
        )
    chosen = answer.citations[number - 1]
    film = next(film for film in films if film.paths[-1] == chosen.video)
    path = locate(film)
    if path is None:
        raise VideoError(
            f"{film.name} is not where it was indexed, or another file has its name.",
            hint="Index it where it is now",
        )
    play(path, chosen.start)
