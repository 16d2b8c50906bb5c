"""Visual features of films as one ``.npz`` file, in plain arrays that NumPy reads as they are."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from goldfish_cli.longvideo.archive import UNREADABLE, damaged

Features = NDArray[np.float16]


def write_visuals(file: IO[bytes], films: Iterable[tuple[Sequence[int], Features]]) -> None:
    """Write ``<place>.numbers`` (clips,) and ``<place>.vectors`` (clips, dim) for each film."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as arrays:
        for place, (numbers, vectors) in enumerate(films):
            for name, array in (("numbers", np.asarray(numbers, "<i8")), ("vectors", vectors)):
                with arrays.open(f"{place}.{name}.npy", "w", force_zip64=True) as member:
                    npy.write_array(member, np.ascontiguousarray(array), version=(1, 0))


class VisualsReader:
    """An ``.npz`` file of features that somebody else wrote: checked before memory is taken."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path = path
        try:
            self._arrays = zipfile.ZipFile(file)
        except UNREADABLE as error:
            raise damaged(path, f"visual features: {error}") from error
        if any(info.compress_type != zipfile.ZIP_STORED for info in self._arrays.infolist()):
            raise damaged(path, "its visual features are packed, which they never are")

    def of_film(self, place: int) -> dict[int, Features]:
        """Give the vectors of the film at that place by clip number."""
        numbers = self._array(f"{place}.numbers.npy", np.dtype("<i8"), axes=1)
        vectors = self._array(f"{place}.vectors.npy", np.dtype("<f2"), axes=2)
        if len(numbers) != len(vectors):
            raise damaged(self._path, "its visual features do not fit the clips")
        return {int(number): vectors[row] for row, number in enumerate(numbers)}

    def _array(self, name: str, dtype: np.dtype[Any], *, axes: int) -> NDArray[Any]:
        try:
            data = io.BytesIO(self._arrays.read(name))
            if npy.read_magic(data) != (1, 0):
                raise ValueError("an array of another format")
            shape, is_fortran, stored = npy.read_array_header_1_0(data)
        except (KeyError, *UNREADABLE) as error:
            raise damaged(self._path, f"visual features: {error}") from error
        values = data.getbuffer()[data.tell() :]
        fits = math.prod(shape) * dtype.itemsize == len(values) and min(shape, default=0) >= 0
        if is_fortran or stored != dtype or len(shape) != axes or not fits:
            raise damaged(self._path, f"visual features: {name} is not what it says")
        return np.frombuffer(values, dtype).reshape(shape)
