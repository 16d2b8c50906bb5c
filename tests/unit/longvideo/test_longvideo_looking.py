"""Looking again: what is told of a clip in other views decides whether a thing is there."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from film_parts import FilmFolder

from goldfish_cli.backends.base import GenerationSettings, Reply, Turn
from goldfish_cli.longvideo.looking import MOST_WATCHED, Looker
from goldfish_cli.longvideo.records import ClipRecord, FilmRecord
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.media.video import Frame, Image
from goldfish_cli.profiles import Profile, load_profile

TOLD = "A red circle grows while a blue cross blinks."
OTHER = "A red circle grows while a blue star blinks."
LESS = "A red circle grows."


@dataclass(frozen=True)
class Seen:
    times: tuple[float, ...]
    view: int


@dataclass
class Scripted:
    """Says of each view, in the order in which they are shown, what it was told to say."""

    descriptions: Sequence[str]
    yes: bool = False
    shown: int = 0
    asked: list[str] = field(default_factory=list)
    name: str = "scripted"
    identity: str = "scripted"
    notes: tuple[str, ...] = ()
    follows_instructions: bool = False

    def num_frames(self, profile: Profile) -> int:
        return 4

    def context_limit(self, profile: Profile, settings: GenerationSettings) -> int | None:
        return None

    def shrink(self, picture: Image) -> Image:
        return picture[:32, :32]

    def encode(self, frames: Iterable[Frame]) -> Seen:
        self.shown += 1
        return Seen(tuple(frame.time for frame in frames), self.shown - 1)

    def count_tokens(self, video: Any, captions: Sequence[str], turns: Sequence[Turn]) -> None:
        return None

    def stream(
        self,
        video: Any,
        captions: Sequence[str],
        turns: Sequence[Turn],
        settings: GenerationSettings,
    ) -> Generator[str, None, Reply]:
        raise NotImplementedError
        yield ""

    def reply_all(
        self,
        video: Seen,
        captions: Sequence[str],
        conversations: Sequence[Sequence[Turn]],
        settings: GenerationSettings,
    ) -> list[Reply]:
        questions = [turns[-1].question for turns in conversations]
        self.asked += questions
        texts = [
            self.descriptions[video.view] if "Describe" in one else "yes" if self.yes else "no"
            for one in questions
        ]
        return [Reply(text, 1, 1, 1, True) for text in texts]


@pytest.fixture
def film(reader: IndexStore) -> FilmRecord:
    return reader.films()[0]


@pytest.fixture
def clip(reader: IndexStore, film: FilmRecord) -> ClipRecord:
    return replace(reader.clips(film.id)[0], summary=TOLD)


def looker_of(model: Scripted) -> Looker:
    return Looker(lambda: model, load_profile("cpu", threads=1))


@pytest.mark.parametrize(
    ("descriptions", "is_there", "views"),
    [
        ([TOLD, TOLD, TOLD], True, 3),
        ([TOLD, OTHER, TOLD, TOLD, TOLD], True, 5),
        ([OTHER, OTHER], False, 2),
        ([TOLD, TOLD, OTHER, OTHER], False, 4),
    ],
)
def test_views_are_shown_until_enough_of_them_agree(
    film_folder: FilmFolder,
    film: FilmRecord,
    clip: ClipRecord,
    descriptions: list[str],
    is_there: bool,
    views: int,
) -> None:
    model = Scripted(descriptions)
    assert looker_of(model).times_shown(film, clip, "blue cross") == is_there
    assert model.shown == views


@pytest.mark.parametrize("yes", [True, False])
def test_where_nothing_is_told_in_its_stead_the_model_is_asked(
    film: FilmRecord, clip: ClipRecord, yes: bool
) -> None:
    model = Scripted([LESS] * 5, yes=yes)
    assert looker_of(model).times_shown(film, clip, "blue cross") == yes
    assert "Is there a blue cross?" in model.asked


def test_what_the_summary_does_not_name_needs_all_but_one_view(
    film: FilmRecord, clip: ClipRecord
) -> None:
    unnamed = replace(clip, summary=OTHER)
    assert looker_of(Scripted([TOLD] * 4)).times_shown(film, unnamed, "blue cross")
    assert not looker_of(Scripted([OTHER])).times_shown(film, unnamed, "blue cross")


def test_what_belongs_to_different_things_is_not_asked_about(
    film: FilmRecord, clip: ClipRecord
) -> None:
    model = Scripted([TOLD], yes=True)
    assert looker_of(model).times_shown(film, clip, "red cross") == 0
    assert model.asked == ["Describe the video."]


def test_what_is_told_of_twice_by_mistake_is_counted_once(
    film: FilmRecord, clip: ClipRecord
) -> None:
    twice = replace(clip, summary="A blue cross blinks, then a blue cross blinks.")
    assert looker_of(Scripted([TOLD] * 3)).times_shown(film, twice, "blue cross") == 1
    model = Scripted([TOLD, twice.summary, twice.summary])
    assert looker_of(model).times_shown(film, twice, "blue cross") == 2


def test_a_clip_is_judged_once(film: FilmRecord, clip: ClipRecord) -> None:
    model = Scripted([TOLD] * 3)
    looker = looker_of(model)
    assert looker.times_shown(film, clip, "blue cross")
    assert looker.times_shown(film, clip, "blue cross")
    assert model.shown == 3


def test_the_model_remembers_few_clips_at_a_time(film: FilmRecord, clip: ClipRecord) -> None:
    model = Scripted([TOLD] * 50)
    looker = looker_of(model)
    for number in range(MOST_WATCHED + 1):
        looker.ask(film, replace(clip, number=number), "Describe the video.")
    looker.ask(film, replace(clip, number=MOST_WATCHED), "Describe the video.")
    assert model.shown == MOST_WATCHED + 1
    looker.ask(film, clip, "Describe the video.")
    assert model.shown == MOST_WATCHED + 2
