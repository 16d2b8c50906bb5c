"""Image files, animated images and folders of frames, read by Pillow as if each were a video."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image as Pil
from PIL import ImageOps, ImageSequence

from goldfish_cli.errors import VideoError
from goldfish_cli.media.time_limit import TimeLimit
from goldfish_cli.media.video_info import Frame, Image, VideoInfo

FOLDER_RATE = Fraction(3)  # frames a second: the rate at which TVQA and its followers store frames
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm"})
DEFAULT_MILLISECONDS = 100  # a frame of an animation that does not say, as browsers have it
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Pil.DecompressionBombError)


def is_still(path: Path) -> bool:
    """Whether ``path`` is a folder, or an image that Pillow reads (PyAV reads GIF better)."""
    if path.is_dir():
        return True
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return False
    try:
        with Pil.open(path):
            return True
    except Pil.DecompressionBombError:
        return True  # an image it is; reading it will say why it is refused
    except UNREADABLE:
        return False


def folder_frames(folder: Path) -> list[Path]:
    """The images of a folder in the order of the numbers in their names (``f2`` before ``f10``)."""
    images = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    return sorted((path for path in images if path.is_file()), key=_by_numbers)


def _by_numbers(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    parts = re.findall(r"\d+|\D+", path.name)
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts], path.name


@dataclass(frozen=True, slots=True)
class StillsEngine:
    """Folders, images and animated images; see ``engine.Engine``."""

    name: str = "stills"

    def probe(self, path: Path, limit: TimeLimit) -> VideoInfo:
        """Count the frames and look at the first."""
        if path.is_dir():
            return self._probe_folder(path)
        with _opened(path) as image:
            times, end = _animation_times(image, limit)
            first = _upright_rgb(image, None)
            moving = len(times) > 1
            return VideoInfo(
                path=path,
                container=(image.format or path.suffix.lstrip(".")).lower(),
                codec=(image.format or "unknown").lower(),
                width=first.shape[1],
                height=first.shape[0],
                rotation=0,
                frame_rate=Fraction(len(times) / end).limit_denominator(1000) if moving else None,
                variable_rate=None,
                start=0.0,
                duration=end if moving else 0.0,
                duration_source="packets" if moving else "still",
                num_frames=len(times),
                notes=() if moving else ("A still image: one frame at time 0.",),
            )

    def _probe_folder(self, path: Path) -> VideoInfo:
        images = folder_frames(path)
        if not images:
            raise VideoError(
                f"The folder {path.name} holds no images.",
                hint=f"A folder of frames holds files like {', '.join(sorted(IMAGE_SUFFIXES))}.",
            )
        with _opened(images[0]) as image:
            first = _upright_rgb(image, None)
        return VideoInfo(
            path=path,
            container="folder",
            codec=images[0].suffix.lower().lstrip("."),
            width=first.shape[1],
            height=first.shape[0],
            rotation=0,
            frame_rate=FOLDER_RATE,
            variable_rate=False,
            start=0.0,
            duration=float(len(images) / FOLDER_RATE),
            duration_source="estimate",
            num_frames=len(images),
            notes=(f"A folder of frames, taken as {FOLDER_RATE} a second.",),
        )

    def frames_at(
        self,
        path: Path,
        times: Sequence[float],
        *,
        size: tuple[int, int] | None,
        only_keyframes: bool,
        dense: bool,
        limit: TimeLimit,
        notes: list[str],
    ) -> Iterator[Frame]:
        """Read the images asked for; every one is a keyframe."""
        frame_times = self.frame_times(path, limit)
        wanted = np.searchsorted(frame_times, np.asarray(times) + 1e-6, side="right") - 1
        numbers: list[int] = np.clip(wanted, 0, None).tolist()
        different = sorted(set(numbers))
        read = self._folder_images if path.is_dir() else self._animation_images
        images = zip(different, read(path, different, size, limit, notes), strict=True)
        waiting = 0  # times before the first image that can be read
        frame: Frame | None = None
        for number, image in images:
            if image is not None:
                frame = Frame(frame_times[number], image)
            waiting += numbers.count(number)
            if frame is not None:
                yield from [frame] * waiting
                waiting = 0
        if frame is None:
            raise VideoError(
                f"Not one frame of {path.name} can be read.", hint="The images may be damaged."
            )

    def frame_times(self, path: Path, limit: TimeLimit) -> list[float]:
        """From the folder's rate, or the delays in the image."""
        if path.is_dir():
            return [float(i / FOLDER_RATE) for i in range(len(folder_frames(path)))]
        with _opened(path) as image:
            return _animation_times(image, limit)[0]

    def _folder_images(
        self,
        path: Path,
        numbers: list[int],
        size: tuple[int, int] | None,
        limit: TimeLimit,
        notes: list[str],
    ) -> Iterator[Image | None]:
        images = folder_frames(path)
        for number in numbers:
            limit.check()
            try:
                with _opened(images[number]) as image:
                    pixels = _upright_rgb(image, size)
            except VideoError as error:
                notes.append(f"{error} Another frame stands in.")
                yield None
            else:
                yield pixels

    def _animation_images(
        self,
        path: Path,
        numbers: list[int],
        size: tuple[int, int] | None,
        limit: TimeLimit,
        notes: list[str],
    ) -> Iterator[Image | None]:
        with _opened(path) as image:
            for number in numbers:
                limit.check()
                try:
                    image.seek(number)
                    pixels = _upright_rgb(image, size)
                except UNREADABLE as error:
                    notes.append(f"Frame {number} of {path.name} cannot be read ({error}).")
                    yield None
                else:
                    yield pixels


@contextmanager
def _opened(path: Path) -> Iterator[Pil.Image]:
    try:
        with Pil.open(path) as image:
            yield image
    except UNREADABLE as error:
        raise VideoError(
            f"{path.name} cannot be read as an image: {_one_line(error)}.",
            hint="It may be damaged or cut off.",
        ) from error


def _one_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")


def _upright_rgb(image: Pil.Image, size: tuple[int, int] | None) -> Image:
    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        # What lies under transparent pixels is arbitrary; pages are white.
        white = Pil.new("RGBA", upright.size, "white")
        upright = Pil.alpha_composite(white, upright.convert("RGBA"))
    upright = upright.convert("RGB")
    if size is not None:
        upright = upright.resize(size, Pil.Resampling.BICUBIC)
    return np.asarray(upright)


def _animation_times(image: Pil.Image, limit: TimeLimit) -> tuple[list[float], float]:
    """Start of each frame in seconds, and the end of the last."""
    if getattr(image, "n_frames", 1) == 1 or image.format == "TIFF":
        return [0.0], 0.0  # the pages of a TIFF are not moments
    times: list[float] = []
    milliseconds = 0.0
    for frame in ImageSequence.Iterator(image):
        limit.check()
        times.append(milliseconds / 1000)
        frame.load()  # some formats tell a frame's duration only then
        milliseconds += frame.info.get("duration") or DEFAULT_MILLISECONDS
    image.seek(0)
    return times, milliseconds / 1000
