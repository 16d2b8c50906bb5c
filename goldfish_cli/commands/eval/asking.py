"""Ask a benchmark's questions with a bar, keeping each answer as it comes."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from goldfish_cli.commands.output import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from goldfish_cli.backends.base import VideoLanguageModel
    from goldfish_cli.evaluation.items import EvalItem
    from goldfish_cli.evaluation.predictions import Condition, Prediction
    from goldfish_cli.evaluation.runner import Asking, Done
    from goldfish_cli.longvideo.indexer import IndexPlan

    Known = Mapping[tuple[str, Condition], Prediction]
    Ask = Callable[[Sequence[EvalItem], Sequence[Condition], Known], Iterable[list[Done]]]


def ask_all(
    asking: "Asking",
    items: "Sequence[EvalItem]",
    conditions: "Sequence[Condition]",
    folder: Path,
    *,
    index: Path | None = None,
    quiet: bool = False,
) -> "dict[tuple[str, Condition], Prediction]":
    """Answer what is not answered yet, in the order of the questions.

    Args:
        asking: Who is asked, and how.
        items: The questions.
        conditions: What the model is shown.
        folder: Where the answers are kept.
        index: Of long videos; ``None``: in ``folder``.
        quiet: Draw no bar.
    """
    from goldfish_cli.evaluation.predictions import PredictionFile
    from goldfish_cli.evaluation.runner import Runner

    file = PredictionFile(folder / "predictions.jsonl")
    with file.writing():
        known = file.read()
        if asking.benchmark.is_long:
            made = _through_index(
                asking, items, conditions, known, file.append, index or folder / "index", quiet
            )
        else:
            made = _with_bar(Runner(asking).run, items, conditions, known, file.append, quiet)
        if asking.features is not None:
            asking.features.flush()
        file.rewrite([*made.values(), *_of_other_questions(known, made, items)])
    for condition in conditions:
        if not any(condition == answered for _, answered in made):
            asking.notify(f"The control '{condition}' applies to none of these questions.")
    return made


def _through_index(
    asking: "Asking",
    items: "Sequence[EvalItem]",
    conditions: "Sequence[Condition]",
    known: "Known",
    keep: "Callable[[Iterable[Prediction]], None]",
    index: Path,
    quiet: bool,
) -> "dict[tuple[str, Condition], Prediction]":
    from goldfish_cli.commands.index.folder import vectors_of
    from goldfish_cli.evaluation.long import LongRunner, LongSources
    from goldfish_cli.longvideo.store import IndexStore

    _fill_index(asking, items, index, asking.model, quiet=quiet)
    with ExitStack() as opened:
        said = None
        if "subtitles" in conditions:
            beside = index.with_name(f"{index.name}-subtitles")
            _fill_index(asking, items, beside, None, quiet=True)
            said = opened.enter_context(IndexStore.read(beside))
        store = opened.enter_context(IndexStore.read(index))
        vectors = vectors_of(store, asking.notify, offline=asking.offline)
        runner = LongRunner(asking, LongSources(store, vectors, said))
        return _with_bar(runner.run, items, conditions, known, keep, quiet)


def _fill_index(
    asking: "Asking",
    items: "Sequence[EvalItem]",
    index: Path,
    model: "VideoLanguageModel | None",
    *,
    quiet: bool,
) -> None:
    """Put the videos that are at hand into an index; those that cannot be read are told of.

    Without a model the index knows what is said, and nothing of what is seen.
    """
    from goldfish_cli.commands.index.folder import open_vectors, update_vectors
    from goldfish_cli.errors import InputError
    from goldfish_cli.evaluation.runner import find_video
    from goldfish_cli.longvideo.indexer import index_film
    from goldfish_cli.longvideo.store import IndexStore

    names = dict.fromkeys(item.video for item in items)
    found = (find_video(asking.videos, asking.benchmark, name) for name in names)
    paths = [path for path in found if path is not None]
    with (
        IndexStore.create_or_open(index, wait_s=None, notify=asking.notify) as store,
        progress("Indexing", len(paths), unit="videos", quiet=quiet) as advance,
    ):
        vectors = open_vectors(store, offline=asking.offline)
        for path in paths:
            work = index_film(
                store,
                model,
                path,
                _plan(asking, path),
                asking.profile,
                features=asking.features,
                cache_dir=asking.cache_dir,
                offline=asking.offline,
                notify=asking.notify,
            )
            try:
                for _ in work:
                    pass
            except InputError as error:
                asking.notify(f"{path.name} is not indexed: {error}")
            advance(1)
        update_vectors(store, vectors, quiet=True)


def _plan(asking: "Asking", path: Path) -> "IndexPlan":
    """How a film is cut, looked at and told; of a folder of subtitles those named as the film."""
    from goldfish_cli.commands.index.add import CLIP_SECONDS, PROMPT, WORLD_PROMPT
    from goldfish_cli.data.media_folder import MediaFolder
    from goldfish_cli.longvideo.indexer import IndexPlan
    from goldfish_cli.media.cutting import Cutting

    viewing, heard = asking.viewing, asking.viewing.subtitles
    if isinstance(heard, Path):
        heard = MediaFolder(heard).find(path.stem)[1] or "none"
    is_minnow = asking.model.name == "minnow"
    return IndexPlan(
        Cutting(None if is_minnow else CLIP_SECONDS),
        viewing.num_frames or asking.model.num_frames(asking.profile),
        WORLD_PROMPT if is_minnow else PROMPT,
        subtitles=heard,
        max_new_tokens=asking.profile.max_new_tokens,
    )


def _with_bar(
    ask: "Ask",
    items: "Sequence[EvalItem]",
    conditions: "Sequence[Condition]",
    known: "Known",
    keep: "Callable[[Iterable[Prediction]], None]",
    quiet: bool,
) -> "dict[tuple[str, Condition], Prediction]":
    made: dict[tuple[str, Condition], Prediction] = {}
    total = len(items) * len(conditions)
    with progress("Asking", total, unit="questions", quiet=quiet) as advance:
        for done in ask(items, conditions, known):
            keep(one.prediction for one in done if not one.reused)
            made |= {(one.prediction.id, one.prediction.condition): one.prediction for one in done}
            advance(len(done))
    return made


def _of_other_questions(
    known: "Known",
    made: "Known",
    items: "Sequence[EvalItem]",
) -> "list[Prediction]":
    """Earlier answers that this run had no part in, such as those of another --shard."""
    asked = {item.id for item in items}
    conditions = {condition for _, condition in made}
    return [
        one
        for key, one in known.items()
        if key not in made and (one.id not in asked or one.condition not in conditions)
    ]
