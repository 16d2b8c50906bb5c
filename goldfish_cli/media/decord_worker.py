"""Decode with decord in a process of its own, which can be killed: decord hangs on some files.

Reads one JSON request from stdin. Answers on stdout with lines of JSON, each followed by as many
raw bytes as it says. Imports nothing of this package, so that it starts fast.
"""

import json
import os
import re
import sys
from typing import Any, BinaryIO

import decord
import numpy as np

FRAMES_AT_ONCE = 4  # bounds memory; decord hands out whole batches


def answer(out: BinaryIO, header: dict[str, Any], body: bytes = b"") -> None:
    """Write one line of JSON and the bytes that belong to it."""
    out.write(json.dumps({**header, "bytes": len(body)}).encode() + b"\n" + body)
    out.flush()


def serve(request: dict[str, Any], out: BinaryIO) -> None:
    """Open the file, describe it, then send the frames asked for."""
    width, height = request["size"] or (-1, -1)
    reader = decord.VideoReader(
        request["path"], ctx=decord.cpu(0), width=width, height=height, num_threads=1
    )
    spans = np.asarray(reader.get_frame_timestamp(np.arange(len(reader))), dtype=np.float64)[:, :2]
    spans += request["start"] - spans[0, 0]  # decord counts from zero, whatever the file says
    starts = spans[:, 0]
    if not (np.diff(starts) >= 0).all():
        raise ValueError("it gives frames times that are not in order")
    header = {
        "fps": float(reader.get_avg_fps()),
        "keyframes": list(map(int, reader.get_key_indices())),
    }
    answer(out, header, np.ascontiguousarray(spans).tobytes())
    if request["times"] is None:
        return
    numbers = np.clip(np.searchsorted(starts, np.asarray(request["times"]) + 1e-6) - 1, 0, None)
    if request["only_keyframes"]:
        keys = np.asarray(header["keyframes"] or [0])
        numbers = keys[np.clip(np.searchsorted(keys, numbers, side="right") - 1, 0, None)]
    different = sorted(set(map(int, numbers)))
    for first in range(0, len(different), FRAMES_AT_ONCE):
        chunk = different[first : first + FRAMES_AT_ONCE]
        for number, image in zip(chunk, reader.get_batch(chunk).asnumpy(), strict=True):
            repeat = int((numbers == number).sum())
            header = {"time": float(starts[number]), "shape": image.shape, "repeat": repeat}
            answer(out, header, image.tobytes())


def main() -> None:
    """Serve one request; a failure is an answer too."""
    # decord's own messages may go to stdout: keep a copy of it, and point the original at stderr.
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)
        request = json.loads(sys.stdin.buffer.read())
        try:
            serve(request, out)
            answer(out, {"end": True})
        # decord raises its own error type, RuntimeError and bare Exceptions for bad files alike.
        except Exception as error:
            message = (str(error) or type(error).__name__).strip().splitlines()[0]
            answer(out, {"error": re.sub(r"^\[[\d:]+\] \S+: (\[.*?\] )?", "", message)})


if __name__ == "__main__":
    main()
