"""Pictures of every kind become what training read."""

import io
from pathlib import Path

import mmcv
import numpy as np
import pytest
import torch
from PIL import Image

from mmfastervit.inference.pictures import (
    LARGEST,
    Unreadable,
    begins_as_picture,
    read_picture,
    shown,
)

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (12, 20, 3), dtype=np.uint8)  # red first
GREY = RNG.integers(0, 256, (12, 20), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (12, 20), dtype=np.uint8)


def saved(folder: Path, picture: Image.Image, name: str, **options) -> Path:
    path = folder / name
    picture.save(path, **options)
    return path


def with_transparency() -> Image.Image:
    picture = Image.fromarray(COLOURS).quantize(16)
    picture.info["transparency"] = 3
    return picture


KINDS = {
    "rgb.png": lambda: Image.fromarray(COLOURS),
    "rgb.jpg": lambda: Image.fromarray(COLOURS),
    "grey.png": lambda: Image.fromarray(GREY),
    "alpha.png": lambda: Image.fromarray(np.dstack([COLOURS, ALPHA])),
    "grey-alpha.png": lambda: Image.fromarray(np.dstack([GREY, ALPHA]), mode="LA"),
    "palette.png": lambda: Image.fromarray(COLOURS).quantize(16),
    "transparent.png": with_transparency,
    "bilevel.png": lambda: Image.fromarray(GREY > 100),
    "sixteen.png": lambda: Image.fromarray(GREY.astype(np.uint16) * 256 + 17),
    "sixteen.tif": lambda: Image.fromarray(GREY.astype(np.uint16) * 256 + 17),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_file_is_read_as_training_reads_it(name, tmp_path):
    path = saved(tmp_path, KINDS[name](), name)
    expected = mmcv.imfrombytes(path.read_bytes(), flag="color", backend="cv2")
    assert np.array_equal(read_picture(path), expected)
    assert np.array_equal(read_picture(path.read_bytes()), expected)
    with Image.open(path) as picture:
        assert np.array_equal(read_picture(picture), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_turned_upright(orientation, tmp_path):
    exif = Image.Exif()
    exif[274] = orientation
    path = saved(tmp_path, Image.fromarray(COLOURS), "turned.jpg", exif=exif, quality=95)
    expected = mmcv.imfrombytes(path.read_bytes(), flag="color", backend="cv2")
    assert np.array_equal(read_picture(path), expected)


def test_the_upper_bits_of_sixteen_are_taken_and_nothing_is_stretched(tmp_path):
    dark = np.full((4, 4), 4095, dtype=np.uint16)  # 12 bits in 16
    path = saved(tmp_path, Image.fromarray(dark), "dark.png")
    assert (read_picture(path) == 15).all()
    assert (read_picture(dark) == 15).all()


def test_cmyk_becomes_colours(tmp_path):
    path = saved(tmp_path, Image.fromarray(COLOURS).convert("CMYK"), "print.jpg", quality=100)
    with Image.open(path) as picture:
        assert picture.mode == "CMYK"
    read = read_picture(path)[:, :, ::-1].astype(int)
    assert np.abs(read - COLOURS).mean() < 40  # JPEG of noise


def test_of_several_pages_the_first_is_read(tmp_path):
    pages = [Image.fromarray(COLOURS), Image.fromarray(255 - COLOURS)]
    path = saved(tmp_path, pages[0], "pages.tif", save_all=True, append_images=pages[1:])
    assert np.array_equal(read_picture(path)[:, :, ::-1], COLOURS)


@pytest.mark.parametrize("order", [None, "bgr", "rgb"])
def test_arrays_have_blue_first_unless_told(order):
    array = COLOURS if order == "rgb" else COLOURS[:, :, ::-1]
    assert np.array_equal(read_picture(array, order=order)[:, :, ::-1], COLOURS)


@pytest.mark.parametrize("order", [None, "bgr", "rgb"])
def test_tensors_have_red_first_unless_told(order):
    array = COLOURS[:, :, ::-1] if order == "bgr" else COLOURS
    tensor = torch.from_numpy(array.copy()).permute(2, 0, 1)
    assert np.array_equal(read_picture(tensor, order=order)[:, :, ::-1], COLOURS)
    assert np.array_equal(read_picture(tensor / 255, order=order)[:, :, ::-1], COLOURS)


@pytest.mark.parametrize(
    "array",
    [GREY, GREY[:, :, None], GREY.astype(np.uint16) * 257, GREY / 255, (GREY / 255).astype("f4")],
    ids=["2d", "3d", "uint16", "double", "float"],
)
def test_grey_arrays_of_any_kind_are_three_equal_channels(array):
    assert np.array_equal(read_picture(array), np.dstack([GREY] * 3))


def test_alpha_of_an_array_is_dropped():
    array = np.dstack([COLOURS, ALPHA])
    assert np.array_equal(read_picture(array, order="rgb")[:, :, ::-1], COLOURS)


def test_a_model_of_one_channel_gets_grey(tmp_path):
    path = saved(tmp_path, Image.fromarray(COLOURS), "rgb.png")
    expected = mmcv.imfrombytes(path.read_bytes(), flag="grayscale", backend="cv2")
    found = read_picture(path, channels=1)
    assert found.shape == (12, 20, 1)
    assert np.abs(found[:, :, 0].astype(int) - expected).max() <= 1  # OpenCV rounds in integers


def test_a_model_of_six_channels_gets_its_arrays_as_they_are(tmp_path):
    bands = RNG.normal(size=(12, 20, 6)).astype(np.float32)
    assert np.array_equal(read_picture(bands, channels=6), bands)
    np.save(tmp_path / "bands.npy", bands)
    assert np.array_equal(read_picture(tmp_path / "bands.npy", channels=6), bands)
    assert shown(bands).shape == (12, 20, 3)
    assert (shown(bands).min(), shown(bands).max()) == (0, 255)


@pytest.mark.parametrize("picture", [COLOURS, Image.fromarray(COLOURS)], ids=["array", "pillow"])
def test_a_model_of_six_channels_refuses_pictures(picture):
    with pytest.raises(Unreadable, match="6 channels"):
        read_picture(picture, channels=6)


def test_an_array_with_code_is_not_read(tmp_path):
    np.save(tmp_path / "evil.npy", np.array([dict()], dtype=object), allow_pickle=True)
    with pytest.raises(Unreadable):
        read_picture(tmp_path / "evil.npy")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((4, 4, 3), 7.0), "from 7.0 to 7.0"),
        (np.full((4, 4, 3), np.nan), "nan"),
        (np.full((4, 4, 3), -1), "from -1"),
        (np.zeros((3, 40, 50), dtype=np.uint8), r"\(3, 40, 50\)"),
        (np.zeros((0, 4, 3), dtype=np.uint8), "no picture"),
        (np.zeros((2, 4, 4, 3), dtype=np.uint8), "no picture"),
    ],
)
def test_numbers_and_shapes_that_mean_nothing_known_are_refused(array, message):
    with pytest.raises(Unreadable, match=message):
        read_picture(array)


def broken_files() -> dict[str, bytes]:
    buffer = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (200, 200, 3), dtype=np.uint8)).save(buffer, "JPEG")
    return {
        "empty": b"",
        "text": b"this is no picture",
        "cut": buffer.getvalue()[: len(buffer.getvalue()) // 2],
    }


@pytest.mark.parametrize("kind", broken_files())
def test_a_broken_file_says_why(kind, tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(broken_files()[kind])
    with pytest.raises(Unreadable, match=r"picture|broken|truncated"):
        read_picture(path)


def test_a_missing_file_and_a_folder_say_why(tmp_path):
    with pytest.raises(Unreadable, match="No such file"):
        read_picture(tmp_path / "no.jpg")
    with pytest.raises(Unreadable, match="directory"):
        read_picture(tmp_path)


@pytest.mark.parametrize("limit", [Image.MAX_IMAGE_PIXELS, None], ids=["on", "off"])
def test_a_file_that_would_swell_is_refused_though_another_library_let_it(limit, tmp_path):
    """SAHI turns Pillow's limit off for the whole process."""
    side = int(LARGEST**0.5) + 2
    path = saved(tmp_path, Image.new("1", (side, side)), "bomb.png")
    assert path.stat().st_size < 10**5
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, limit
    try:
        with pytest.raises(Unreadable, match="swell"):
            read_picture(path)
    finally:
        Image.MAX_IMAGE_PIXELS = before


def test_what_is_no_picture_is_a_type_error():
    with pytest.raises(TypeError, match="int is no picture"):
        read_picture(3)
    with pytest.raises(ValueError, match="order"):
        read_picture(GREY, order="grb")


@pytest.mark.parametrize("channels", [1, 3, 6])
def test_the_callers_array_stays_its_own(channels):
    array = np.zeros((4, 4, channels), dtype=np.uint8)
    array.flags.writeable = False
    found = read_picture(array, channels)
    found[:] = 7
    assert not array.any()


def test_a_pictures_bytes_are_told_from_a_list():
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, "PNG")
    assert begins_as_picture(buffer.getvalue())
    assert not begins_as_picture(b"a.jpg\nb.jpg\n")
