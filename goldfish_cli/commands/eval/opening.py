"""Open what an evaluation needs: judges, answers from elsewhere, videos, and who is asked."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from goldfish_cli.commands.ask import _sampling
from goldfish_cli.commands.startup import without_collector
from goldfish_cli.errors import UsageError, VideoError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from goldfish_cli.data.media_folder import MediaFolder
    from goldfish_cli.evaluation.items import Benchmark, EvalItem
    from goldfish_cli.evaluation.judges.usage import Prices
    from goldfish_cli.evaluation.predictions import Condition, Prediction
    from goldfish_cli.evaluation.runner import Asking
    from goldfish_cli.evaluation.scoring import Deciding
    from goldfish_cli.profiles import Profile

SubtitleChoice = Literal["auto", "none", "whisper"]


def open_judges(
    benchmark: "Benchmark",
    name: str,
    prompt: Path | None,
    prices: "Prices | None",
    settings: "Profile",
    *,
    offline: bool,
) -> "Deciding":
    """Open the judge that decides, and the rules beside it."""
    from platformdirs import user_cache_path

    from goldfish_cli.evaluation.judges.choose import OFFLINE, open_judge
    from goldfish_cli.evaluation.judges.offline import OfflineJudge
    from goldfish_cli.evaluation.judges.prompts import read_prompt_file
    from goldfish_cli.evaluation.scoring import Deciding

    with without_collector():
        judge = open_judge(
            name,
            settings,
            offline=offline,
            api_key=os.environ.get("OPENAI_API_KEY"),
            prompts=read_prompt_file(prompt) if prompt else None,
            cache=user_cache_path("goldfish", appauthor=False) / "judge-replies.jsonl",
            prices=prices,
        )
    return Deciding(benchmark, judge, () if name == OFFLINE else (OfflineJudge(),))


def read_prices(text: str | None) -> "Prices | None":
    """Read what a million tokens of prompt, and of answer, cost: ``0.15,0.60``."""
    from goldfish_cli.evaluation.judges.usage import Prices

    if text is None:
        return None
    try:
        prompt, completion = map(float, text.split(","))
    except ValueError as error:
        raise UsageError(
            f"--judge-prices takes two numbers, not {text!r}.", hint="Such as: 0.15,0.60"
        ) from error
    return Prices(prompt, completion)


def from_file(
    path: Path, items: "Sequence[EvalItem]", notify: "Callable[[str], None]"
) -> "Mapping[tuple[str, Condition], Prediction]":
    """Read answers that are there, and say what belongs to no question or stands twice."""
    from goldfish_cli.evaluation.outside import read_predictions

    matched = read_predictions(path, items)
    if matched.left_over:
        notify(f"{matched.left_over} predictions in {path} belong to none of these questions.")
    if matched.contradicting:
        notify(
            f"{matched.contradicting} questions are answered several times and differently in "
            f"{path}; the last answer counts."
        )
    return {(one.id, one.condition): one for one in matched.predictions}


def open_videos(benchmark: "Benchmark", folder: Path, items: "Sequence[EvalItem]") -> "MediaFolder":
    """Open the folder of the videos; a folder that holds none of them is a mistake."""
    from goldfish_cli.data.media_folder import MediaFolder
    from goldfish_cli.evaluation.runner import find_video

    videos = MediaFolder(folder)
    names = list(dict.fromkeys(item.video for item in items))
    if not any(find_video(videos, benchmark, name) for name in names):
        raise VideoError(
            f"None of the {len(names)} videos is in {folder}.",
            hint=f"The first is called {names[0]}, with or without an ending such as .mp4",
        )
    return videos


def open_asking(
    benchmark: "Benchmark",
    videos: "MediaFolder",
    name: str,
    settings: "Profile",
    *,
    viewing: tuple[int | None, Any, float | None, str],
    features: Path | None,
    offline: bool,
    notify: "Callable[[str], None]",
) -> "Asking":
    """Load the model, and gather all that its answers depend on."""
    from platformdirs import user_cache_path

    from goldfish_cli.evaluation.runner import Asking
    from goldfish_cli.evaluation.showing import Viewing

    frames, sampling, fps, subtitles = viewing
    looks = Viewing(frames, _sampling(sampling, fps), fps, _subtitles(subtitles))
    with without_collector():
        from goldfish_cli.backends.base import GenerationSettings
        from goldfish_cli.backends.choose import load_backend
        from goldfish_cli.data.features import FeatureStore

        backend = load_backend(
            name, settings, offline=offline, api_key=os.environ.get("OPENAI_API_KEY")
        )
    for text in backend.notes:
        notify(text)
    return Asking(
        backend,
        benchmark,
        videos,
        looks,
        settings,
        GenerationSettings(settings.max_new_tokens),
        features=FeatureStore(features) if features else None,
        cache_dir=user_cache_path("goldfish", appauthor=False),
        offline=offline,
        notify=notify,
    )


def _subtitles(choice: str) -> SubtitleChoice | Path:
    choices: dict[str, SubtitleChoice] = {name: name for name in get_args(SubtitleChoice)}
    if choice not in choices and not Path(choice).is_dir():
        raise UsageError(
            f"There is no folder {choice}.",
            hint="--subtitles takes auto, none, whisper or a folder",
        )
    return choices.get(choice) or Path(choice)
