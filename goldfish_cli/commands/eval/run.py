"""``goldfish eval BENCH``: ask a model a benchmark's questions, or score answers, with controls."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from goldfish_cli.commands.ask import _MINNOW, _notifier
from goldfish_cli.commands.eval.asking import ask_all
from goldfish_cli.commands.eval.opening import (
    from_file,
    open_asking,
    open_judges,
    open_videos,
    read_prices,
)
from goldfish_cli.commands.eval.show import show_result, write_report
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
from goldfish_cli.commands.output import progress
from goldfish_cli.errors import AnnotationError, PartialError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from goldfish_cli.evaluation.items import EvalItem
    from goldfish_cli.evaluation.predictions import Condition, Prediction
    from goldfish_cli.evaluation.results import EvalResult
    from goldfish_cli.evaluation.scoring import Deciding, Scored

_ASKING = "How to ask"
_SCORING = "How to score"
_REPORTS = (".html", ".htm", ".md")


def run(
    benchmark: Annotated[
        str, typer.Argument(metavar="BENCH", help="A name from `goldfish eval list`.")
    ],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="FILE",
            help="The benchmark's annotation file, as it circulates; several make one set.",
        ),
    ] = None,
    videos: Annotated[
        Path | None, typer.Option("--videos", metavar="DIR", help="Where the videos are.")
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions",
            metavar="FILE",
            help="Score these answers instead of asking: ours, the reference's, lmms-eval's, "
            "VLMEvalKit's, or any table with a column of predictions.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder of the run; the same again goes on. Default: runs/eval/BENCH.",
        ),
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(
            "--report", metavar="FILE", help="Write a report: .html, a page, or .md. Repeatable."
        ),
    ] = None,
    controls: Annotated[
        bool,
        typer.Option(
            "--controls",
            help="Ask again blind, with another video's frames, with subtitles alone, and on the "
            "true moment alone, each where it applies.",
        ),
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many questions.")
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Only part I of N; no two parts share a video."),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Frames of a video.", rich_help_panel=_ASKING)
    ] = None,
    sampling: Annotated[
        Literal["uniform", "fps", "keyframes", "scene", "reference"] | None,
        typer.Option(
            help="How frames are chosen. Default: the profile's.", rich_help_panel=_ASKING
        ),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            min=0.001, help="Frames a second, for --sampling fps.", rich_help_panel=_ASKING
        ),
    ] = None,
    subtitles: Annotated[
        str,
        typer.Option(
            metavar="auto|none|whisper|DIR",
            help="auto: beside or inside the videos; whisper: transcribe; a folder: files named "
            "as the videos.",
            rich_help_panel=_ASKING,
        ),
    ] = "auto",
    prompt: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Ask in these words: {question} stands for the question, {options} for choices.",
            rich_help_panel=_ASKING,
        ),
    ] = None,
    max_new_tokens: Annotated[
        int | None,
        typer.Option(
            min=1, help="Longest answer. Default: the profile's.", rich_help_panel=_ASKING
        ),
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            "--features",
            metavar="DIR",
            help="Keep the vision encoder's output here, and take it from here: 0.7 MB a frame for "
            "a ViT-g. `goldfish prep features` and training use the same.",
            rich_help_panel=_ASKING,
        ),
    ] = None,
    index: Annotated[
        Path | None,
        typer.Option(
            "--index",
            metavar="DIR",
            help="Index of long videos, which is made or added to. Default: in the run's folder.",
            rich_help_panel=_ASKING,
        ),
    ] = None,
    judge: Annotated[
        str,
        typer.Option(
            "--judge",
            metavar="NAME",
            help="Who judges free answers: offline (rules), openai:MODEL@URL, or a text model of "
            "Transformers by id or folder.",
            rich_help_panel=_SCORING,
        ),
    ] = "offline",
    judge_prompt: Annotated[
        Path | None,
        typer.Option(
            "--judge-prompt",
            metavar="FILE",
            help="Ask a model as judge in these words instead of ours.",
            rich_help_panel=_SCORING,
        ),
    ] = None,
    judge_workers: Annotated[
        int,
        typer.Option(min=1, help="Answers judged at a time.", rich_help_panel=_SCORING),
    ] = 4,
    judge_prices: Annotated[
        str | None,
        typer.Option(
            metavar="IN,OUT",
            help="Price of a million prompt and of a million answer tokens of the judge.",
            rich_help_panel=_SCORING,
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            metavar="FILE",
            help="A handful of answers that a person labelled (id, correct): corrects the judge's "
            "accuracy for its mistakes.",
            rich_help_panel=_SCORING,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the bootstrap.", rich_help_panel=_SCORING)
    ] = 0,
    profile: ProfileName = None,
    model: ModelName = None,
    as_json: Json = False,
    quiet: Quiet = False,
    offline: Offline = False,
) -> None:
    """Score a model on a benchmark, with intervals, controls and a judge that is named.

    Answers are kept as they come: the same command goes on where it was stopped.

    Example: goldfish eval msvd --data msvd_qa_test.json --videos videos --report report.html
    """
    began = time.perf_counter()
    _check(data, videos, predictions, controls=controls, reports=report or [])
    from goldfish_cli.evaluation.benchmarks.prompts import in_words
    from goldfish_cli.evaluation.benchmarks.registry import find_benchmark
    from goldfish_cli.evaluation.labels import read_labels
    from goldfish_cli.evaluation.run_folder import check_is_of
    from goldfish_cli.evaluation.runner import choose

    chosen = find_benchmark(benchmark)
    if prompt is not None:
        chosen = replace(chosen, prompt=in_words(prompt))
    every = chosen.read(data or [])
    items = choose(every, limit=limit, shard=_shard(shard))
    if not items:
        raise UsageError(f"Part {shard} holds no question.", hint="Take fewer parts")
    notify = _notifier(quiet=quiet)
    name = model_name(model)
    settings = profile_for(profile, name, max_frames=frames, max_new_tokens=max_new_tokens)
    deciding = open_judges(
        chosen, judge, judge_prompt, read_prices(judge_prices), settings, offline=offline
    )
    told = read_labels(labels) if labels else None
    if told is not None and not any(item.id in told for item in items):
        raise AnnotationError(
            f"None of the labels in {labels} is for one of these questions.",
            hint="Their ids are those of predictions.jsonl in the run's folder",
        )
    chosen_by_hand: dict[str, Any] = {
        "data": list(map(str, data or [])),
        "limit": limit,
        "shard": shard,
        "judge": judge,
        "judge_prompt": str(judge_prompt) if judge_prompt else None,
        "seed": seed,
    }
    if predictions is not None:
        found = from_file(predictions, items, notify)
        source = predictions
    else:
        if is_default_model(model):
            notify(_MINNOW)
        out = out or Path("runs/eval") / chosen.name
        check_is_of(out, chosen.name)
        source = out / "predictions.jsonl"
        asking = open_asking(
            chosen,
            open_videos(chosen, videos or Path(), items),
            name,
            settings,
            viewing=(frames, sampling, fps, subtitles),
            features=features,
            offline=offline,
            notify=notify,
        )
        found = ask_all(
            asking,
            items,
            _conditions(controls=controls),
            out,
            index=index,
            quiet=quiet or as_json,
        )
        chosen_by_hand |= {
            "model": name,
            "model_identity": asking.model.identity,
            "frames": asking.viewing.num_frames or asking.model.num_frames(settings),
            "sampling": asking.viewing.sampling or settings.sampling,
            "fps": fps,
            "prompt": prompt,
            "subtitles": subtitles,
            "profile": settings.model_dump(mode="json"),
        }
    scored = _score(items, found, deciding, workers=judge_workers, quiet=quiet or as_json)

    from goldfish_cli.evaluation.provenance import provenance
    from goldfish_cli.evaluation.summary import Run, summarise

    result = summarise(
        Run(
            chosen,
            items,
            deciding,
            num_all=len(every),
            predictions=str(source),
            videos=videos,
            labels=told,
            seed=seed,
            settings=chosen_by_hand,
            provenance=provenance(data or []),
            seconds=time.perf_counter() - began,
        ),
        scored,
    )
    if out is not None:
        from goldfish_cli.evaluation.run_folder import write_run

        write_run(out, result, scored)
    for path in report or []:
        write_report(path, result)
    show_result(result, as_json=as_json, quiet=quiet)
    _fail_if_incomplete(result, asked=predictions is None)


def _check(
    data: list[Path] | None,
    videos: Path | None,
    predictions: Path | None,
    *,
    controls: bool,
    reports: list[Path],
) -> None:
    """Refuse what cannot work before anything is read."""
    if not data:
        raise UsageError(
            "Which annotation file?", hint="Name it with --data FILE; see: goldfish eval list"
        )
    if videos is None and predictions is None:
        raise UsageError(
            "Where are the videos?",
            hint="--videos DIR, or score answers that are there with --predictions FILE",
        )
    if controls and predictions is not None:
        raise UsageError(
            "--controls asks a model; --predictions does not.",
            hint="Leave out one; a file of ours brings its own controls along",
        )
    for path in reports:
        if path.suffix.lower() not in _REPORTS:
            raise UsageError(
                f"--report {path} is neither .html nor .md.", hint="Such as: --report report.html"
            )
        if not path.parent.is_dir():
            raise UsageError(f"There is no folder {path.parent}.", hint="Make it first")


def _shard(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    number, slash, count = text.partition("/")
    is_whole = slash and number.isdecimal() and count.isdecimal()
    if is_whole and 1 <= int(number) <= int(count):
        return int(number), int(count)
    raise UsageError(
        f"--shard takes I/N with I from 1 to N, not {text!r}.", hint="Such as: --shard 1/4"
    )


def _conditions(*, controls: bool) -> "Sequence[Condition]":
    from goldfish_cli.evaluation.predictions import CONDITIONS

    return CONDITIONS if controls else CONDITIONS[:1]


def _score(
    items: "Sequence[EvalItem]",
    found: "Mapping[tuple[str, Condition], Prediction]",
    deciding: "Deciding",
    *,
    workers: int,
    quiet: bool,
) -> "list[Scored]":
    from goldfish_cli.evaluation.scoring import score_all

    scored = []
    with progress("Scoring", len(found), unit="answers", quiet=quiet) as advance:
        for one in score_all(items, found, deciding, workers=workers):
            scored.append(one)
            advance(1)
    return scored


def _fail_if_incomplete(result: "EvalResult", *, asked: bool) -> None:
    missing = sum(one.questions for one in result.unanswered)
    if missing:
        raise PartialError(
            f"{missing} of {result.n} questions have no answer and count as wrong.",
            hint="The same command asks them again, once their videos are there"
            if asked
            else "Take a file that answers all of them, or the questions that it answers as --data",
        )
    if result.unjudged:
        raise PartialError(
            f"{result.unjudged} answers got no verdict and count as wrong.",
            hint="The same command asks the judge again",
        )
