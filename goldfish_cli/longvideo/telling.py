"""Let a model say what clips show: several clips at a time, a summary for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from goldfish_cli.backends.base import GenerationSettings, Request, Turn, VideoLanguageModel
from goldfish_cli.inference.clip import Look, Notify, WatchedClip
from goldfish_cli.inference.context import fit_prompt
from goldfish_cli.longvideo.records import ClipRecord
from goldfish_cli.longvideo.seeing import SeenClip
from goldfish_cli.media.cues import Cue, Subtitles
from goldfish_cli.media.video import VideoInfo
from goldfish_cli.profiles import Profile

AT_A_TIME = 8
"""Clips whose summaries are made together, and are lost together when a run is killed."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Untold:
    """A clip that waits for its summary."""

    seen: SeenClip
    said: tuple[Cue, ...]
    key: str


@dataclass(frozen=True, slots=True)
class Teller:
    """Asks a model about the clips of one film.

    Args:
        model: Who tells; ``None`` for subtitles without a film.
        path: The film.
        info: What is known of it; ``None`` for subtitles alone.
        prompt: What is asked of each clip.
        settings: How tokens are chosen.
        profile: Limits the prompts.
        notify: Hears what had to be left out.
    """

    model: VideoLanguageModel | None
    path: Path
    info: VideoInfo | None
    prompt: str
    settings: GenerationSettings
    profile: Profile
    notify: Notify

    def tell(self, clips: Sequence[Untold]) -> list[ClipRecord]:
        """Say what clips show; one without a picture is marked as failed.

        Raises:
            ModelError: If the model fails, or its server.
            DoesNotFitError: If the prompt cannot fit the context.
        """
        records = [
            ClipRecord(
                one.seen.clip.number,
                one.seen.clip.start,
                one.seen.clip.end,
                cues=one.said,
                key=one.key,
            )
            for one in clips
        ]
        if self.model is None or self.info is None:
            return records
        shown = [place for place, one in enumerate(clips) if one.seen.encoded is not None]
        requests = [self._request(self.model, self.info, clips[place]) for place in shown]
        replies = self.model.reply_each(requests, self.settings) if requests else []
        told = dict(zip(shown, replies, strict=True))
        if not all(reply.finished for reply in replies):
            self.notify(
                f"A summary was cut after {self.settings.max_new_tokens} tokens; the profile's "
                "max_new_tokens allows more."
            )
        return [
            replace(record, summary=told[place].text.strip())
            if place in told
            else replace(record, failed="no picture of it could be decoded")
            for place, record in enumerate(records)
        ]

    def _request(self, model: VideoLanguageModel, info: VideoInfo, one: Untold) -> Request:
        clip = one.seen.clip
        look = Look(self.path, start=clip.start, end=clip.end)
        watched = WatchedClip(look, info, one.seen.encoded, Subtitles(one.said), 0.0)
        prompt = fit_prompt(
            model,
            watched,
            [Turn(self.prompt)],
            profile=self.profile,
            settings=self.settings,
            notify=self.notify,
        )
        return Request(prompt.video, prompt.captions, prompt.turns)


def in_groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Gather items in order, so many at a time; the last group may be smaller."""
    group: list[T] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
