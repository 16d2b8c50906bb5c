"""Put questions about long videos to ``longask``, and to the model alone on their true moment.

The index is made before; what retrieval found and what an answer cites is kept beside the answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from goldfish_cli.backends.base import drain
from goldfish_cli.errors import InputError
from goldfish_cli.evaluation.items import EvalItem
from goldfish_cli.evaluation.predictions import Condition, Prediction, Spans, digest
from goldfish_cli.evaluation.runner import MISSING, Asking, Done, Known, Runner, failed, find_video
from goldfish_cli.evaluation.showing import content_hash
from goldfish_cli.inference.answer import answer_question
from goldfish_cli.inference.clip import Look, WatchedClip, inspect, watch
from goldfish_cli.longvideo.answers import LongAnswer
from goldfish_cli.longvideo.coordinator import Budget, Coordinator
from goldfish_cli.longvideo.looking import Looker
from goldfish_cli.longvideo.records import FilmRecord
from goldfish_cli.longvideo.retrieve import retrieve
from goldfish_cli.longvideo.vectors import VectorStore
from goldfish_cli.longvideo.view import IndexView
from goldfish_cli.media.cues import Subtitles

NOT_INDEXED = "the video is not in the index"
RETRIEVED = 10
"""Clips that are kept of what retrieval finds, for recall."""
_VERSION = "1"


@dataclass(frozen=True, slots=True)
class LongSources:
    """The index of a benchmark's videos, open to read."""

    store: IndexView
    vectors: VectorStore | None
    said: IndexView | None = None
    """An index of the same films by their subtitles alone, for the control ``subtitles``."""
    budget: int = 5
    """Clips that may be looked at again for one question."""


@dataclass(frozen=True, slots=True)
class _Way:
    """Through which index a film is asked, and by whom."""

    store: IndexView
    film: FilmRecord
    vectors: VectorStore | None
    coordinator: Coordinator


class LongRunner:
    """Asks one model, through an index, all questions of one benchmark.

    Args:
        asking: Who looks again and answers, and how.
        sources: The index.
    """

    def __init__(self, asking: Asking, sources: LongSources) -> None:
        self._asking = asking
        self._sources = sources
        self._short = Runner(asking)
        self._setup = asking.setup
        self._films: dict[str, FilmRecord | str] = {}
        self._digests: dict[tuple[str, str], str] = {}

    def run(
        self, items: Sequence[EvalItem], conditions: Sequence[Condition], known: Known
    ) -> Iterator[list[Done]]:
        """Answer the questions, those of one film after another.

        ``full`` is answered through the index, ``other video`` by the index of another film,
        ``subtitles`` without a look at any frame; ``moment`` and ``blind`` by the model alone.
        """
        by_video: dict[str, list[EvalItem]] = {}
        for item in items:
            by_video.setdefault(item.video, []).append(item)
        alone = [condition for condition in conditions if condition in ("moment", "blind")]
        through_index = [condition for condition in conditions if condition not in alone]
        for video, asked in by_video.items():
            yield from self._short.run(asked, alone, known)
            film = self._film(video)
            for condition in through_index:
                if isinstance(film, str):
                    made = [failed(item, condition, film) for item in asked]
                    yield [Done(one, reused=False) for one in made]
                elif (way := self._way(film, condition)) is not None:
                    for item in asked:
                        yield [self._ask(item, condition, way, known)]

    def _way(self, film: FilmRecord, condition: Condition) -> _Way | None:
        """How a film's questions are answered; ``None`` where a control does not apply."""
        sources, asking = self._sources, self._asking
        if condition == "subtitles":
            said = sources.said.film(film.id) if sources.said else None
            if sources.said is None or said is None or said.subtitles == "none":
                return None
            return _Way(sources.said, said, None, Coordinator(sources.said, None))
        shown = self._other(film) if condition == "other video" else film
        if shown is None:
            return None
        looker = Looker(lambda: asking.model, asking.profile, asking.notify)
        coordinator = Coordinator(  # a new one for each film: it keeps the clips it looked at
            sources.store, looker, vectors=sources.vectors, budget=Budget(sources.budget)
        )
        return _Way(sources.store, shown, sources.vectors, coordinator)

    def _film(self, video: str) -> FilmRecord | str:
        """Find a video's film in the index, by its content."""
        if video not in self._films:
            path = find_video(self._asking.videos, self._asking.benchmark, video)
            self._films[video] = MISSING if path is None else self._indexed(path)
        return self._films[video]

    def _indexed(self, path: Path) -> FilmRecord | str:
        try:
            return self._sources.store.film(content_hash(path)) or NOT_INDEXED
        except (InputError, OSError) as error:
            return str(error)

    def _other(self, film: FilmRecord) -> FilmRecord | None:
        films = self._sources.store.films()
        place = next(place for place, one in enumerate(films) if one.id == film.id)
        after = [*films[place + 1 :], *films[:place]]
        return after[0] if after else None

    def _ask(self, item: EvalItem, condition: Condition, way: _Way, known: Known) -> Done:
        key = self._key(item, condition, way)
        before = known.get((item.id, condition))
        if before is not None and before.key == key and not before.problem:
            return Done(before, reused=True)
        began = time.perf_counter()
        film = way.film
        answer = way.coordinator.answer(item.question, [film])
        text = answer.answer
        if item.rule == "choice":
            text = self._choose(item, answer, way)
        found = retrieve(
            way.store, item.question, vectors=way.vectors, films=[film.id], limit=RETRIEVED
        )
        prediction = Prediction(
            item.id,
            item.video,
            item.question,
            text,
            condition,
            key=key,
            setup=self._setup,
            model=self._asking.model.name,
            subtitles=film.subtitles,
            duration=round(film.duration, 3),
            seconds=round(time.perf_counter() - began, 4),
            cited=_spans((one.start, one.end) for one in answer.citations if one.supported),
            retrieved=_spans((one.passage.start, one.passage.end) for one in found),
        )
        return Done(prediction, reused=False)

    def _choose(self, item: EvalItem, answer: LongAnswer, way: _Way) -> str:
        """Let the model choose an option: before it the evidence, and the frames of the best of it.

        Without evidence it sees the whole film, as evenly as its frames allow; of subtitles alone
        it sees nothing.
        """
        best = max(answer.citations, key=lambda one: one.score, default=None)
        told = "\n".join(f"- {one.text}" for one in answer.citations)
        evidence = f"From the film:\n{told}\n\n" if told else ""
        look = Look(Path(way.film.paths[-1]), subtitles="none")
        if best is not None and best.end > best.start:
            look = Look(look.video, start=best.start, end=best.end, subtitles="none")
        asking = self._asking
        info = inspect(look)
        if way.store is self._sources.said:
            clip = WatchedClip(look, info, asking.model.encode(()), Subtitles(), 0.0)
        else:
            clip = watch(asking.model, look, asking.profile, info=info, notify=asking.notify)
        stream = answer_question(
            asking.model,
            clip,
            evidence + asking.benchmark.prompt(item),
            profile=asking.profile,
            settings=asking.settings,
            notify=asking.notify,
        )
        return drain(stream).answer

    def _key(self, item: EvalItem, condition: Condition, way: _Way) -> str:
        asking = self._asking
        parts = [
            _VERSION,
            condition,
            self._digest(way),
            asking.benchmark.prompt(item),
            asking.model.identity,
            asdict(asking.settings),
            self._sources.budget,
            way.vectors is not None,
            asking.profile.max_context_tokens,
        ]
        return digest(parts)

    def _digest(self, way: _Way) -> str:
        """Hash what an index knows of a film."""
        place = str(way.store.folder), way.film.id
        if place not in self._digests:
            clips = [asdict(clip) for clip in way.store.clips(way.film.id)]
            self._digests[place] = digest([way.film.id, clips, way.film.summary])
        return self._digests[place]


def _spans(spans: Iterator[tuple[float, float]]) -> Spans:
    return tuple((round(start, 3), round(end, 3)) for start, end in spans)
