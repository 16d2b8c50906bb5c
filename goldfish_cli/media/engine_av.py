"""PyAV as an engine: the default."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av.error

from goldfish_cli.errors import VideoError
from goldfish_cli.media.av_frames import FrameReader
from goldfish_cli.media.av_open import choose_stream, open_container, unreadable
from goldfish_cli.media.av_pictures import Orientation, orientation, small_rgb, upright_rgb
from goldfish_cli.media.av_probe import probe_with_av
from goldfish_cli.media.time_limit import TimeLimit
from goldfish_cli.media.video_info import Frame, Look, VideoInfo


@dataclass(frozen=True, slots=True)
class AvEngine:
    """Decodes in this process; see ``engine.Engine``."""

    name: str = "av"

    def probe(self, path: Path, limit: TimeLimit) -> VideoInfo:
        """Read header, first picture and last packets."""
        return probe_with_av(path, limit)

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
        """Seek, skip and decode; only pictures that are asked for become RGB."""
        reader = FrameReader(path, limit, "AUTO" if dense else "SLICE", notes)
        try:
            pictures = reader.keyframes_at(times) if only_keyframes else reader.pictures_at(times)
            shown, frame = None, None
            upright: dict[int, Orientation] = {}  # by rotation, which is cheap to ask of each
            for picture in pictures:
                if frame is None or picture is not shown:
                    turn = picture.rotation
                    if turn not in upright:
                        upright[turn] = orientation(picture)
                    image = upright_rgb(picture, upright[turn], size)
                    frame, shown = Frame(reader.seconds(picture), image), picture
                yield frame
        except (av.error.FFmpegError, ValueError, MemoryError) as error:
            raise unreadable(path, error) from error
        finally:
            reader.close()

    def looks_at(
        self,
        path: Path,
        times: Sequence[float],
        *,
        width: int,
        loosely: bool,
        limit: TimeLimit,
        notes: list[str],
    ) -> Iterator[Look]:
        """Pictures on screen at some ascending times, each once, at most ``width`` pixels wide.

        If ``loosely``, pictures that no other refers to are passed over where the codec is known to
        allow it, and the one before stands for them.
        """
        reader = FrameReader(path, limit, "AUTO", notes, loosely=loosely)
        try:
            shown = None
            upright: dict[int, Orientation] = {}
            for picture in reader.pictures_at(times):
                if picture is shown:
                    continue
                shown, turn = picture, picture.rotation
                if turn not in upright:
                    upright[turn] = orientation(picture)
                whole = partial(upright_rgb, picture, upright[turn], None)
                small = small_rgb(picture, upright[turn], width)
                yield Look(reader.seconds(picture), small, whole)
        except (av.error.FFmpegError, ValueError, MemoryError) as error:
            raise unreadable(path, error) from error
        finally:
            reader.close()

    def frame_times(self, path: Path, limit: TimeLimit) -> list[float]:
        """Read all packets, none decoded."""
        with open_container(path, limit) as container:
            stream = choose_stream(container, path)
            unit = stream.time_base or Fraction(1, 1000)
            times: list[float] = []
            try:
                for packet in container.demux(stream):
                    limit.check()
                    if packet.size and not packet.is_discard:
                        ticks = packet.pts if packet.pts is not None else packet.dts
                        if ticks is None:
                            raise VideoError(
                                f"{path.name} gives its frames no times, so they have no numbers.",
                                hint="Use another plan, such as uniform.",
                            )
                        times.append(float(ticks * unit))
            except av.error.FFmpegError as error:
                limit.check()
                if not times:
                    raise unreadable(path, error) from error
        return sorted(times)
