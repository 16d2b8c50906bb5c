"""Where the clips of a film end: laws for any film, and what borders follow."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.errors import UsageError
from goldfish_cli.media.cues import Cue
from goldfish_cli.media.cutting import Cutter, Cutting, cut, cut_talk, is_gapless

TIMES = st.lists(st.floats(0.1, 499.9), max_size=40, unique=True).map(sorted)
CUTTINGS = st.builds(
    Cutting,
    seconds=st.one_of(st.none(), st.floats(2.0, 90.0)),
    overlap=st.sampled_from([0.0, 0.0, 1.5]),
    snap=st.floats(0.0, 0.49),
)


def said(*spans: tuple[float, float]) -> list[Cue]:
    return [Cue(start, end, "words") for start, end in spans]


@given(
    changes=TIMES, starts=TIMES, cutting=CUTTINGS, start=st.floats(0, 50), length=st.floats(2, 500)
)
def test_clips_cover_a_film_once_and_none_is_too_long(
    changes: list[float], starts: list[float], cutting: Cutting, start: float, length: float
) -> None:
    end = start + length
    inside = [start + one for one in changes if one < length]
    cues = said(*((start + one, start + one + 2.0) for one in starts))
    clips = cut(start, end, inside, cues, cutting)
    assert clips[0][0] == start
    assert clips[-1][1] == end
    assert is_gapless(clips, cutting)
    longest = cutting.max_seconds if cutting.seconds is None else cutting.seconds * 1.5
    slack = cutting.overlap + cutting.min_seconds + 1e-6
    assert all(two - one <= longest + slack for one, two in clips)


@given(changes=TIMES, cutting=CUTTINGS, length=st.floats(2, 500))
def test_a_film_cut_while_it_is_walked_is_cut_alike(
    changes: list[float], cutting: Cutting, length: float
) -> None:
    inside = [one for one in changes if one < length]
    cutter = Cutter(0.0, [], cutting)
    clips, known = [], 0.0
    for change in inside:
        while known < change - 1.0:  # time passes between changes
            known += 1.0
            clips += cutter.move_on(known)
        clips += cutter.move_on(change, is_change=True)
    clips += cutter.finish(length)
    assert clips == cut(0.0, length, inside, [], cutting)


def test_a_border_moves_to_a_shot_change_nearby_else_to_the_longest_pause() -> None:
    cutting = Cutting(30.0)
    assert cut(0, 60, [27.0], [], cutting) == [(0, 27.0), (27.0, 60)]
    cues = said((0, 26), (27, 33), (36, 60))
    assert cut(0, 60, [], cues, cutting) == [(0, 34.5), (34.5, 60)]
    assert cut(0, 60, [10.0], [], cutting) == [(0, 30.0), (30.0, 60)]


def test_one_clip_a_shot_joins_short_shots_and_divides_long_ones() -> None:
    cutting = Cutting(None, max_seconds=20.0, min_seconds=1.0)
    assert cut(0, 40, [5.0, 5.5, 35.0], [], cutting) == [
        (0, 5.0),
        (5.0, 20.0),
        (20.0, 35.0),
        (35.0, 40),
    ]
    assert cut(0, 10, [9.5], [], cutting) == [(0, 10)]


def test_overlap_begins_a_clip_earlier_but_never_before_the_film() -> None:
    clips = cut(5, 65, [], [], replace(Cutting(20.0), overlap=3.0, snap=0.0))
    assert clips == [(5, 25), (22, 45), (42, 65)]


@pytest.mark.parametrize(
    "settings",
    [
        {"seconds": 0.0},
        {"seconds": float("nan")},
        {"overlap": 30.0},
        {"snap": 0.5},
        {"overlap": -1},
    ],
)
def test_cuttings_that_never_move_on_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Cutting(**settings)


def test_a_long_silence_between_subtitles_is_one_clip() -> None:
    end = 100 * 3600.0
    cues = [Cue(10.0, 12.0, "early"), Cue(end - 1.0, end, "late")]
    clips = cut_talk(0.0, end, cues, Cutting(30.0))
    assert clips == [(0.0, 12.0), (12.0, end - 1.0), (end - 1.0, end)]
    assert len(cut_talk(0.0, end, [Cue(10.0, end, "a mistake")], Cutting(30.0))) < 30
    assert cut_talk(0.0, 5000.0, [], Cutting(30.0)) == [(0.0, 5000.0)]


@given(
    starts=st.lists(st.floats(0, 5000), min_size=1, max_size=20),
    overlap=st.sampled_from([0.0, 5.0]),
)
def test_clips_of_subtitles_cover_the_film(starts: list[float], overlap: float) -> None:
    cues = [Cue(start, start + 2.0, "x") for start in starts]
    end = max(starts) + 2.0
    cutting = Cutting(30.0, overlap=overlap)
    clips = cut_talk(0.0, end, cues, cutting)
    assert (clips[0][0], clips[-1][1]) == (0.0, end)
    assert all(two[0] <= one[1] < two[1] for one, two in pairwise(clips))
    assert len(clips) <= 25 * len(starts) + 2
    if all(two - one < 500 for one, two in pairwise(sorted([0.0, *starts]))):
        assert clips == cut(0.0, end, [], cues, cutting)
