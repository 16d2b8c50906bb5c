"""Few of many frames, and the same frames in other views."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.longvideo.framing import choose_frames, places_by_change, thumbnail
from goldfish_cli.longvideo.views import OTHER_VIEWS, mirrored
from goldfish_cli.media.video import Frame


@given(
    total=st.integers(2, 60),
    share=st.floats(0.01, 1.0),
    seed=st.integers(0, 100),
    still=st.booleans(),
)
def test_chosen_frames_are_as_many_as_asked_for_distinct_and_in_order(
    total: int, share: float, seed: int, still: bool
) -> None:
    count = max(1, min(total - 1, round(share * total)))
    drawn = np.random.default_rng(seed).random((total, 2, 2, 3)).astype(np.float32)
    places = places_by_change(drawn * (not still), count)
    assert len(places) == count
    assert places == sorted(set(places))
    assert places[0] >= 0 and places[-1] < total


def test_of_a_still_picture_the_frames_are_spread_evenly() -> None:
    assert places_by_change(np.zeros((9, 2, 2, 3), np.float32), 3) == [1, 4, 7]


def test_where_the_picture_changes_there_are_more_frames() -> None:
    small = np.zeros((40, 2, 2, 3), np.float32)
    small[30:] = np.arange(10, dtype=np.float32)[:, None, None, None]
    places = places_by_change(small, 10)
    assert sum(place >= 30 for place in places) > 4
    assert places[0] < 10  # the still part is seen as well


def test_few_frames_are_all_kept() -> None:
    frames = [Frame(float(time), np.zeros((4, 4, 3), np.uint8)) for time in range(3)]
    assert choose_frames(frames, 3) == frames
    assert [frame.time for frame in choose_frames(frames, 1)] == [1.0]


def test_a_thumbnail_holds_the_mean_of_each_part() -> None:
    picture = np.zeros((50, 33, 3), np.uint8)
    picture[:, 20:] = 200
    small = thumbnail(picture)
    assert small.shape == (16, 16, 3)
    assert small[0, 0, 0] == 0
    assert small[0, -1, 0] == 200


def test_no_view_cuts_anything_off() -> None:
    picture = np.full((20, 30, 3), 7, np.uint8)
    picture[5, 4] = 99
    for view in OTHER_VIEWS:
        shown = view(picture)
        assert (shown == 99).all(axis=2).sum() == 1
        assert shown.shape[0] >= 20
        assert shown.shape[1] >= 30
    assert (mirrored(picture)[5, 25] == 99).all()
