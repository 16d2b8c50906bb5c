"""Which bytes pass as a picture to learn from, and what becomes of them."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_parts import encode, jpeg, picture, png_bomb
from PIL import Image

from goldfish_cli.data.images import decode_image
from goldfish_cli.data.prepare.image_checks import ImageRules, check_image
from goldfish_cli.data.prepare.refusal import Refusal

RULES = ImageRules()


def refusal(data: bytes, rules: ImageRules = RULES) -> str:
    with pytest.raises(Refusal) as caught:
        check_image(data, rules)
    assert caught.value.lasting
    return caught.value.reason


def pixels(data: bytes) -> np.ndarray:
    return decode_image(data, "picture").astype(int)


def test_a_jpeg_is_kept_byte_for_byte():
    data = jpeg(200, 100)
    found = check_image(data, RULES)
    assert (found.jpeg, found.width, found.height) == (data, 200, 100)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_other_formats_become_jpeg_and_look_the_same(form):
    original = picture()
    found = check_image(encode(original, form), RULES)
    assert Image.open(io.BytesIO(found.jpeg)).format == "JPEG"
    shown = np.asarray(Image.open(io.BytesIO(encode(original, form))).convert("RGB")).astype(int)
    assert np.abs(pixels(found.jpeg) - shown).mean() < 4


def test_what_is_transparent_becomes_white():
    clear = Image.new("RGBA", (80, 80), (0, 0, 0, 0))
    assert pixels(check_image(encode(clear, "PNG"), RULES).jpeg).min() > 250


def test_sixteen_bits_are_scaled_not_clipped():
    deep = Image.fromarray(np.full((80, 80), 0x8000, np.uint16))
    assert abs(pixels(check_image(encode(deep, "PNG"), RULES).jpeg).mean() - 128) < 3


def test_cmyk_becomes_rgb():
    data = encode(Image.new("CMYK", (80, 80), (255, 0, 0, 0)))
    found = check_image(data, RULES)
    assert Image.open(io.BytesIO(found.jpeg)).mode == "RGB"
    assert np.abs(pixels(found.jpeg) - pixels(data)).mean() < 4


def test_a_lying_picture_is_measured_and_shown_standing():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    for form in ("PNG", "JPEG"):
        found = check_image(encode(picture(120, 80), form, exif=exif), RULES)
        assert (found.width, found.height) == (80, 120)
        assert pixels(found.jpeg).shape == (120, 80, 3)


def test_large_pictures_are_shrunk_on_request_and_keep_their_shape():
    found = check_image(jpeg(400, 200), ImageRules(max_side=128))
    assert (found.width, found.height) == (128, 64)
    small = jpeg(100, 80)
    assert check_image(small, ImageRules(max_side=128)).jpeg == small


def test_tiny_pictures_are_dropped_by_their_shorter_side():
    assert refusal(jpeg(600, 63)) == "tiny-image"
    assert check_image(jpeg(600, 64), RULES).height == 64


def test_a_small_file_of_huge_dimensions_is_refused_unread():
    bomb = png_bomb()
    assert len(bomb) < 1000
    assert refusal(bomb) == "decompression-bomb"
    assert refusal(png_bomb(9000, 9000)) == "decompression-bomb"  # below Pillow's own limit


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_picture_that_is_cut_is_broken(form, share):
    data = encode(picture(300, 200), form)
    assert refusal(data[: int(len(data) * share)]) == "broken-image"


@pytest.mark.parametrize(
    "data",
    [b"<html><body>404</body></html>", b"GIF8", b"\x00" * 500, b'<svg xmlns="a"/>', b"%PDF-1.7"],
)
def test_what_is_no_picture_is_called_so(data):
    assert refusal(data) == "not-an-image"


def test_nothing_and_too_much_have_names_of_their_own():
    assert refusal(b"") == "empty-file"
    assert refusal(jpeg(), ImageRules(max_bytes=100)) == "too-large"


@settings(max_examples=60)
@given(data=st.data(), form=st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"]))
def test_damaged_pictures_pass_or_are_refused_but_never_crash(data, form):
    whole = bytearray(encode(picture(80, 72), form))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=8)):
        whole[place] = data.draw(st.integers(0, 255))
    try:
        found = check_image(bytes(whole), RULES)
    except Refusal:
        return
    assert decode_image(found.jpeg, "damaged").shape == (found.height, found.width, 3)
