"""Draw a Shapes World clip at any size and moment. Varies all that the world leaves open."""

from __future__ import annotations

import colorsys
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from goldfish_cli.data.shapes.world import Clip, State

_HUES = {  # degrees of hue, then ranges of saturation and value
    "red": ((-12, 10), (0.75, 1.0), (0.65, 1.0)),
    "green": ((95, 150), (0.55, 1.0), (0.45, 1.0)),
    "blue": ((205, 245), (0.6, 1.0), (0.6, 1.0)),
    "yellow": ((48, 62), (0.65, 1.0), (0.8, 1.0)),
    "purple": ((272, 308), (0.45, 1.0), (0.45, 0.95)),
    "white": ((0, 360), (0.0, 0.06), (0.88, 1.0)),
}
_NOISE_MARGIN = 48
MIN_CONTRAST = 0.33
"""Smallest distance between object and background in RGB, where black to white is 1.73."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a clip is drawn: everything about its pixels that is not its story."""

    palette: tuple[tuple[float, float, float], ...]
    """One RGB colour from 0 to 1 for each event's object."""
    background: np.ndarray
    """A small RGB picture ``(h, w, 3)`` from 0 to 1, stretched over the frame."""
    supersample: int
    """Sub-pixels a side for anti-aliased edges; 1 draws hard edges."""
    blur: float
    """Radius of a soft focus in thousandths of the frame's height."""
    noise: float
    """Standard deviation of the sensor noise, in 8-bit steps."""
    flicker: float
    """Depth of the slow brightness change."""
    flicker_hz: float
    tilts: tuple[float, ...]
    """Rotation of each object in radians."""
    star_depth: float
    """Inner radius of a star as a share of its outer one."""
    bar_width: float
    """Width of a cross's bars as a share of its height."""
    outline: float
    """Width of a dark outline as a share of an object's height; 0 draws none."""


def sample_look(rng: np.random.Generator, clip: Clip) -> Look:
    """Draw colours, background, edges and disturbances for a clip."""
    background = _sample_background(rng)
    palette = []
    for event in clip.events:
        for _ in range(40):
            colour = _sample_colour(rng, event.colour)
            if _contrast(colour, background) >= MIN_CONTRAST:
                break
        else:  # no tone of this colour stands out here: darken the ground instead
            background = background * 0.25
        palette.append(colour)
    tilted = rng.random() < 0.4
    return Look(
        palette=tuple(palette),
        background=background,
        supersample=int(rng.choice((1, 2, 4))),
        blur=float(rng.uniform(0, 6)) if rng.random() < 0.3 else 0.0,
        noise=float(rng.uniform(0, 9)) if rng.random() < 0.7 else 0.0,
        flicker=float(rng.uniform(0, 0.18)) if rng.random() < 0.4 else 0.0,
        flicker_hz=float(rng.uniform(0.1, 0.8)),
        tilts=tuple(float(rng.uniform(-0.26, 0.26)) if tilted else 0.0 for _ in clip.events),
        star_depth=float(rng.uniform(0.36, 0.55)),
        bar_width=float(rng.uniform(0.24, 0.42)),
        outline=float(rng.uniform(0.03, 0.07)) if rng.random() < 0.08 else 0.0,
    )


def _sample_colour(rng: np.random.Generator, name: str) -> tuple[float, float, float]:
    hue, saturation, value = (rng.uniform(low, high) for low, high in _HUES[name])
    return colorsys.hsv_to_rgb(hue % 360 / 360, saturation, value)


def _sample_background(rng: np.random.Generator) -> np.ndarray:
    """A dark or mid-tone ground: flat, a gradient, or a soft texture."""
    base = _sample_ground_tone(rng)
    kind = rng.choice(("flat", "gradient", "texture"))
    if kind == "flat":
        return np.broadcast_to(base, (2, 2, 3)).astype(np.float32)
    if kind == "gradient":
        other = np.clip(base + rng.uniform(-0.22, 0.22, 3), 0, 0.6)
        steps = np.linspace(0, 1, 16, dtype=np.float32)
        angle = rng.uniform(0, 2 * math.pi)
        ramp = steps[None, :] * math.cos(angle) + steps[:, None] * math.sin(angle)
        ramp = (ramp - ramp.min()) / (ramp.max() - ramp.min() + 1e-6)
        return (base + ramp[..., None] * (other - base)).astype(np.float32)
    cells = int(rng.integers(3, 14))
    texture = rng.normal(0, rng.uniform(0.01, 0.06), (cells, cells, 1))
    tint = rng.normal(0, 0.015, (cells, cells, 3))
    return np.clip(base + texture + tint, 0, 0.65).astype(np.float32)


def _sample_ground_tone(rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.5:  # grey
        return np.full(3, rng.uniform(0.0, 0.55)) + rng.normal(0, 0.015, 3)
    tone = colorsys.hsv_to_rgb(rng.uniform(0, 1), rng.uniform(0.1, 0.7), rng.uniform(0.05, 0.5))
    return np.array(tone)


def _contrast(colour: Sequence[float], background: np.ndarray) -> float:
    """The smallest distance between a colour and any tone of the background."""
    flat = background.reshape(-1, 3)
    return float(np.sqrt(((flat - np.asarray(colour)) ** 2).sum(1)).min())


def _outline(shape: str, look: Look) -> np.ndarray:
    """The shape's corners ``(n, 2)`` in units of its own height, centred on its bounding box."""
    if shape == "circle":
        angles = np.linspace(0, 2 * math.pi, 48, endpoint=False)
        return np.stack([np.cos(angles), np.sin(angles)], 1) / 2
    if shape == "square":
        return np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    if shape == "triangle":
        return np.array([[0.0, -0.5], [0.55, 0.5], [-0.55, 0.5]])
    if shape == "star":
        angles = np.arange(10) * math.pi / 5 - math.pi / 2
        radii = np.where(np.arange(10) % 2 == 0, 1.0, look.star_depth)
        points = np.stack([np.cos(angles) * radii, np.sin(angles) * radii], 1)
        points -= (points.max(0) + points.min(0)) / 2
        return points / np.ptp(points[:, 1])
    bar = look.bar_width / 2
    quarter = np.array([[bar, -0.5], [bar, -bar], [0.5, -bar]])
    turns = [quarter @ np.array([[c, s], [-s, c]]) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    return np.concatenate(turns)


class Painter:
    """Draws the frames of one clip at one size; keeps what does not change between them."""

    def __init__(
        self, clip: Clip, look: Look, width: int, height: int, rng: np.random.Generator
    ) -> None:
        self.clip, self.look, self.width, self.height, self.rng = clip, look, width, height, rng
        self._ground = _stretch(look.background, width, height)
        self._noise = _noise_field(width, height)
        self._phase = float(rng.uniform(0, 2 * math.pi))

    def frame(self, time: float) -> np.ndarray:
        """The picture at ``time`` seconds, ``(height, width, 3)`` uint8 RGB."""
        look = self.look
        picture = self._ground.copy()
        for index, event in enumerate(self.clip.events):
            state = event.state(time)
            if state is not None:
                self._draw(picture, event.shape, state, look.palette[index], look.tilts[index])
        if look.flicker:
            wave = math.sin(2 * math.pi * look.flicker_hz * time + self._phase)
            picture *= 1 + look.flicker * wave
        if look.blur:
            radius = look.blur * self.height / 1000
            soft = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
            picture = np.array(soft.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32)
        if look.noise:
            dy, dx = self.rng.integers(0, _NOISE_MARGIN, 2)
            picture += look.noise * self._noise[dy : dy + self.height, dx : dx + self.width]
        return np.clip(picture + 0.5, 0, 255).astype(np.uint8)

    def coverage(self, time: float) -> np.ndarray:
        """How far each event's object covers a pixel, ``(events, height, width)`` from 0 to 1."""
        masks = np.zeros((len(self.clip.events), self.height, self.width), dtype=np.float32)
        for index, event in enumerate(self.clip.events):
            state = event.state(time)
            if state is None:
                continue
            box, mask = self._mask(event.shape, state, self.look.tilts[index], scale=1)
            masks[index][box] = np.asarray(mask, dtype=np.float32) / 255
            masks[:index] *= 1 - masks[index]  # later objects lie on top
        return masks

    def _draw(
        self,
        picture: np.ndarray,
        shape: str,
        state: State,
        colour: tuple[float, float, float],
        tilt: float,
    ) -> None:
        """Paint one object onto ``picture`` in place."""
        look = self.look
        box, canvas = self._mask(shape, state, tilt, scale=look.supersample)
        patch = picture[box]
        tone = np.array(colour, dtype=np.float32) * 255
        if not look.outline:
            _blend(patch, canvas, look.supersample, tone)
            return
        width = max(1, round(look.outline * state.size * self.height * look.supersample))
        _blend(patch, canvas, look.supersample, tone * 0.45)
        inner = canvas.filter(ImageFilter.MinFilter(2 * width + 1))
        _blend(patch, inner, look.supersample, tone)

    def _mask(
        self, shape: str, state: State, tilt: float, *, scale: int
    ) -> tuple[tuple[slice, slice], Image.Image]:
        """The part of the frame an object covers, and its silhouette, ``scale`` times larger."""
        cos, sin = math.cos(tilt), math.sin(tilt)
        points = _outline(shape, self.look) @ np.array([[cos, sin], [-sin, cos]]) * state.size
        xs = (state.x + points[:, 0] / self.clip.aspect) * self.width
        ys = (state.y + points[:, 1]) * self.height
        left, top = max(0, math.floor(xs.min()) - 1), max(0, math.floor(ys.min()) - 1)
        right = min(self.width, math.ceil(xs.max()) + 2)
        bottom = min(self.height, math.ceil(ys.max()) + 2)
        canvas = Image.new("L", ((right - left) * scale, (bottom - top) * scale))
        corners = [((x - left) * scale, (y - top) * scale) for x, y in zip(xs, ys, strict=True)]
        ImageDraw.Draw(canvas).polygon(corners, fill=255)
        return (slice(top, bottom), slice(left, right)), canvas


def _blend(patch: np.ndarray, mask: Image.Image, scale: int, tone: np.ndarray) -> None:
    if scale > 1:
        mask = mask.reduce(scale)
    share = np.asarray(mask, dtype=np.float32)[..., None] / 255
    patch += share * (tone - patch)


@lru_cache(maxsize=8)
def _noise_field(width: int, height: int) -> np.ndarray:
    """Unit noise a little larger than the frame; each frame shows another part of it."""
    shape = (height + _NOISE_MARGIN, width + _NOISE_MARGIN, 3)
    return np.random.default_rng(7).standard_normal(shape, dtype=np.float32)


def _stretch(small: np.ndarray, width: int, height: int) -> np.ndarray:
    """Stretch a small picture smoothly over the frame, as floats from 0 to 255."""
    channels = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(small[..., c]), mode="F").resize(
                (width, height), Image.Resampling.BICUBIC
            )
        )
        for c in range(3)
    ]
    return np.clip(np.stack(channels, -1) * 255, 0, 255).astype(np.float32)


def compress(picture: np.ndarray, quality: int) -> np.ndarray:
    """Lose detail as a codec would: once through JPEG at ``quality`` (1 to 95)."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))
