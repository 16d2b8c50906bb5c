"""Put the questions of a benchmark to a model: each video is opened once, however many there are.

What is answered already, under the same settings, is not asked again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from goldfish_cli.backends.base import GenerationSettings, VideoLanguageModel
from goldfish_cli.data.features import FeatureStore
from goldfish_cli.data.media_folder import MediaFolder
from goldfish_cli.errors import DoesNotFitError, InputError, UsageError, VideoError
from goldfish_cli.evaluation.items import Benchmark, EvalItem
from goldfish_cli.evaluation.predictions import Condition, Prediction, digest
from goldfish_cli.evaluation.showing import Screen, Viewing, content_hash, readable_paths, span_of
from goldfish_cli.inference.answer import Answer, answer_together
from goldfish_cli.inference.clip import Notify, WatchedClip
from goldfish_cli.profiles import Profile

MISSING = "there is no such video"
_VERSION = "1"  # of how a question is put; another number asks all of them again

Known = Mapping[tuple[str, Condition], Prediction]


@dataclass(frozen=True, slots=True)
class Done:
    """One question is answered under one condition, now or before."""

    prediction: Prediction
    reused: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Questions that are put to the same part of the same video."""

    video: str
    condition: Condition
    span: tuple[float | None, float | None] | None
    items: tuple[EvalItem, ...]


@dataclass(frozen=True, slots=True)
class Asking:
    """Who is asked about which videos, and how: the same for all questions of a run."""

    model: VideoLanguageModel
    benchmark: Benchmark
    """Says how a question is put."""
    videos: MediaFolder
    viewing: Viewing
    profile: Profile
    """Limits the prompts."""
    settings: GenerationSettings
    features: FeatureStore | None = None
    """Where the encoder's output is kept."""
    cache_dir: Path | None = None
    """Folder where transcripts are kept."""
    offline: bool = False
    notify: Notify = lambda _: None
    """Hears what is odd about a file."""

    @property
    def setup(self) -> str:
        """Hash of the settings that all answers depend on."""
        profile = self.profile
        asked = self.benchmark.prompt(EvalItem("", "", "{question}", ("",)))
        looks = [self.viewing.num_frames, self.viewing.sampling, self.viewing.fps]
        heard = str(self.viewing.subtitles)
        limits = [profile.max_frames, profile.max_context_tokens, profile.subtitle_words]
        model = [self.model.identity, asdict(self.settings)]
        parts = [_VERSION, asked, *looks, heard, *limits, *model]
        return digest(parts)


class Runner:
    """Asks one model all questions of one benchmark.

    Args:
        asking: Who is asked, and how.
    """

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        viewing = asking.viewing
        self._setup = asking.setup
        self._cue_files = (
            MediaFolder(viewing.subtitles) if isinstance(viewing.subtitles, Path) else None
        )
        self._names: tuple[str, ...] = ()
        self._others: list[Path] | None = None

    def run(
        self, items: Sequence[EvalItem], conditions: Sequence[Condition], known: Known
    ) -> Iterator[list[Done]]:
        """Answer the questions, those of one video together.

        Args:
            items: The questions.
            conditions: What the model is shown, each in its turn.
            known: Earlier predictions; one with the same key is not made again.

        Yields:
            What was done of one video under one condition.

        Raises:
            ModelError: If the model fails, or its server.
        """
        self._names = tuple(dict.fromkeys(item.video for item in items))
        by_video: dict[str, list[EvalItem]] = {}
        for item in items:
            by_video.setdefault(item.video, []).append(item)
        for video, asked in by_video.items():
            path, cue_file = self._find(video)
            screens: dict[object, Screen | InputError] = {}
            for condition in conditions:
                for group in groups(video, asked, condition, cuts=self._asking.benchmark.cuts):
                    if group.span not in screens:
                        screens[group.span] = self._open(path, cue_file, group.span)
                    done = self._answer(group, screens[group.span], known)
                    if done:
                        yield done

    def _find(self, video: str) -> tuple[Path | None, Path | None]:
        """Find a video and, if they have a folder of their own, its subtitles."""
        path = find_video(self._asking.videos, self._asking.benchmark, video)
        if path is None or self._cue_files is None:
            return path, None
        return path, self._cue_files.find(path.stem)[1]

    def _open(
        self,
        path: Path | None,
        cue_file: Path | None,
        span: tuple[float | None, float | None] | None,
    ) -> Screen | InputError:
        if path is None:
            return VideoError(MISSING)
        asking = self._asking
        try:
            return Screen(
                asking.model,
                path,
                span,
                viewing=asking.viewing,
                profile=asking.profile,
                cue_file=cue_file,
                features=asking.features,
                cache_dir=asking.cache_dir,
                offline=asking.offline,
                notify=asking.notify,
            )
        except InputError as error:
            return error

    def _answer(self, group: Group, screen: Screen | InputError, known: Known) -> list[Done]:
        """Answer what is not known; nothing where the condition would show what another does."""
        if isinstance(screen, InputError):
            problem = str(screen)
            made = [failed(item, group.condition, problem) for item in group.items]
            return [Done(prediction, reused=False) for prediction in made]
        other: Path | None = None
        if group.condition == "subtitles" and not screen.can_be_heard:
            return []
        if group.condition == "other video" and (other := self._other(screen)) is None:
            return []
        facts = [*screen.facts(group.condition), *([content_hash(other)] if other else [])]
        keys = {item.id: self._key(group.condition, facts, item) for item in group.items}
        done: dict[str, Done] = {}
        for item in group.items:
            before = known.get((item.id, group.condition))
            if before is not None and before.key == keys[item.id] and not before.problem:
                done[item.id] = Done(before, True)
        new = [item for item in group.items if item.id not in done]
        if new:
            try:
                made = self._ask(new, group.condition, screen, other, keys)
            except InputError as error:
                made = [failed(item, group.condition, str(error)) for item in new]
            done |= {prediction.id: Done(prediction, False) for prediction in made}
        return [done[item.id] for item in group.items]

    def _ask(
        self,
        items: Sequence[EvalItem],
        condition: Condition,
        screen: Screen,
        other: Path | None,
        keys: Mapping[str, str],
    ) -> list[Prediction]:
        began = time.perf_counter()
        clip = screen.show(condition, other)
        texts = [self._asking.benchmark.prompt(item) for item in items]
        seconds = [item.second_question for item in items if item.second_question]
        answers = self._answers(clip, [*texts, *seconds])
        share = (time.perf_counter() - began) / len(items)
        again = iter(answers[len(items) :])
        made = []
        for item, answer in zip(items, answers, strict=False):
            repeated = next(again) if item.second_question else None
            problem = answer if isinstance(answer, str) else ""
            problem = problem or (repeated if isinstance(repeated, str) else "")
            made.append(
                Prediction(
                    item.id,
                    item.video,
                    item.question,
                    "" if isinstance(answer, str) else answer.answer,
                    condition,
                    second=repeated.answer if isinstance(repeated, Answer) else "",
                    problem=problem,
                    key=keys[item.id],
                    setup=self._setup,
                    model=self._asking.model.name,
                    subtitles=clip.subtitles.source if screen.can_be_heard else "none",
                    frames=None if isinstance(answer, str) else len(answer.frames),
                    duration=round(screen.duration, 3),
                    seconds=round(share, 4),
                )
            )
        return made

    def _answers(self, clip: WatchedClip, questions: Sequence[str]) -> list[Answer | str]:
        """Answer all together; if one does not fit, each alone, with why one has no answer."""

        def ask(texts: Sequence[str]) -> list[Answer]:
            return answer_together(
                self._asking.model,
                clip,
                texts,
                profile=self._asking.profile,
                settings=self._asking.settings,
                notify=self._asking.notify,
            )

        try:
            return list(ask(questions))
        except (DoesNotFitError, UsageError):
            told: list[Answer | str] = []
            for question in questions:
                try:
                    told += ask([question])
                except (DoesNotFitError, UsageError) as error:
                    told.append(str(error))
            return told

    def _key(self, condition: Condition, facts: Sequence[object], item: EvalItem) -> str:
        profile = self._asking.profile
        parts = [
            _VERSION,
            condition,
            *facts,
            self._asking.benchmark.prompt(item),
            item.second_question,
            self._asking.model.identity,
            asdict(self._asking.settings),
            profile.max_context_tokens,
            profile.subtitle_words,
        ]
        return digest(parts)

    def _other(self, screen: Screen) -> Path | None:
        """The video after this one, round and round, whose pictures are shown in its place."""
        if self._others is None:
            found = [self._find(name)[0] for name in self._names]
            self._others = readable_paths([path for path in found if path is not None])
        others, media = self._others, screen.media
        place = others.index(screen.path) if screen.path in others else 0
        after = [*others[place + 1 :], *others[:place]]
        return next((path for path in after if content_hash(path) != media), None)


def groups(
    video: str, items: Sequence[EvalItem], condition: Condition, *, cuts: bool
) -> list[Group]:
    """Group the questions about a video by the part of it that is shown."""
    found: dict[tuple[float | None, float | None] | None, list[EvalItem]] = {}
    for item in items:
        has_moment = item.start is not None or item.end is not None
        if condition == "moment" and (cuts or not has_moment):
            continue  # nothing beside what "full" shows
        span = span_of(item, only_moment=has_moment and (cuts or condition == "moment"))
        found.setdefault(span, []).append(item)
    return [Group(video, condition, span, tuple(some)) for span, some in found.items()]


def find_video(videos: MediaFolder, benchmark: Benchmark, video: str) -> Path | None:
    """Find a video by its name in the annotations, or another that its file may have.

    Raises:
        UsageError: If the name points outside the folder.
    """
    for name in (video, *benchmark.also_named(video)):
        try:
            path, _ = videos.find(name)
        except ValueError as error:
            raise UsageError(
                f"The annotations name a file outside the folder of the videos: {video!r}.",
                hint="Check the annotations",
            ) from error
        if path is not None:
            return path
    return videos.find_below(video)


def choose(
    items: Sequence[EvalItem], *, limit: int | None, shard: tuple[int, int] | None
) -> list[EvalItem]:
    """Take the first questions, or every so-many-th video's.

    Args:
        items: All questions.
        limit: The first so many; ``None``: all.
        shard: ``(2, 5)``: the second of five parts, none of which share a video.
    """
    if shard is not None:
        number, count = shard
        videos = {video: place for place, video in enumerate(dict.fromkeys(i.video for i in items))}
        items = [item for item in items if videos[item.video] % count == number - 1]
    return list(items[:limit])


def failed(item: EvalItem, condition: Condition, problem: str) -> Prediction:
    """Say why a question has no answer."""
    return Prediction(item.id, item.video, item.question, "", condition, problem=problem)
