"""Images, animated images and folders of frames as videos."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from goldfish_cli.errors import VideoError
from goldfish_cli.media.video import iter_frames, media_hash, probe, read_frames


def grey(level: int, size: tuple[int, int] = (8, 6)) -> Image.Image:
    return Image.new("RGB", size, (level, level, level))


def write_folder(folder: Path, count: int = 12) -> Path:
    folder.mkdir()
    for i in range(count):
        grey(10 * i).save(folder / f"frame_{i}.png")
    return folder


def test_an_image_is_a_film_of_one_frame(tmp_path: Path) -> None:
    path = tmp_path / "fish.jpg"
    grey(100, (40, 30)).save(path)
    info = probe(path)
    assert (info.width, info.height, info.num_frames, info.duration) == (40, 30, 1, 0.0)
    assert info.duration_source == "still"
    frames = read_frames(path, [0.0, 7.0], size=(4, 3))
    assert [frame.time for frame in frames] == [0.0, 0.0]
    assert frames[0].image.shape == (3, 4, 3)
    assert len(list(iter_frames(path, fps=10))) == 1


def test_a_photo_stands_upright(tmp_path: Path) -> None:
    image = grey(0, (40, 20))
    image.paste((255, 255, 255), (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn 90 degrees clockwise to show
    image.save(tmp_path / "photo.jpg", exif=exif)
    info = probe(tmp_path / "photo.jpg")
    assert (info.width, info.height) == (20, 40)
    pixels = read_frames(tmp_path / "photo.jpg", [0.0])[0].image
    assert pixels[2, -3].mean() > 200 > 50 > pixels[2, 2].mean()


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "glass.png")
    assert (read_frames(tmp_path / "glass.png", [0.0])[0].image == 255).all()


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "frames")
    (folder / "notes.txt").write_text("no frame")
    info = probe(folder)
    assert (info.container, info.num_frames, info.duration) == ("folder", 12, 4.0)
    assert any("3 a second" in note for note in info.notes)
    frames = read_frames(folder, [0.0, 0.7, 3.4, 99.0])
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 20, 100, 110]
    assert [frame.time for frame in frames] == pytest.approx([0, 2 / 3, 10 / 3, 11 / 3])
    assert len(list(iter_frames(folder, fps=3))) == 12


def test_a_damaged_frame_of_a_folder_is_replaced_and_noted(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "frames", 4)
    for i in (0, 2):
        (folder / f"frame_{i}.png").write_bytes(b"\x89PNG broken")
    notes: list[str] = []
    frames = read_frames(folder, [0.0, 0.34, 0.67, 1.0], notes=notes)
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [10, 10, 10, 30]
    assert len(notes) == 2


def test_a_folder_without_any_good_frame_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"broken")
    with pytest.raises(VideoError) as refusal:
        probe(tmp_path)
    assert refusal.value.hint


@pytest.mark.parametrize("name", ["move.webp", "move.png", "move.gif"])
def test_animated_images_keep_their_times(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    pictures = [grey(60 * i, (32, 32)) for i in range(4)]
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=[100, 200, 300, 100], loop=0
    )
    info = probe(path)
    assert info.num_frames == 4
    assert info.duration == pytest.approx(0.7, abs=0.11)
    frames = read_frames(path, [0.0, 0.25, 0.55, 0.65])
    assert [frame.time for frame in frames] == pytest.approx([0, 0.1, 0.3, 0.6])
    levels = [int(frame.image.mean()) for frame in frames]
    assert levels == pytest.approx([0, 60, 120, 180], abs=6)


def test_an_image_too_large_to_decode_safely_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grey(1, (100, 100)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(VideoError) as refusal:
        probe(tmp_path / "large.png")
    assert "\n" not in str(refusal.value)


def test_a_video_called_an_image_is_still_a_video(clock: Path, tmp_path: Path) -> None:
    path = tmp_path / "clock.jpg"
    path.write_bytes(clock.read_bytes())
    assert probe(path).num_frames == 75


def test_the_hash_of_a_folder_is_of_its_frames(tmp_path: Path) -> None:
    one = write_folder(tmp_path / "one")
    other = write_folder(tmp_path / "other")
    (other / "notes.txt").write_text("no frame")
    assert media_hash(one) == media_hash(other)
    Image.fromarray(np.full((6, 8, 3), 200, np.uint8)).save(other / "frame_3.png")
    assert media_hash(one) != media_hash(other)
