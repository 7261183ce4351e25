"""Pictures as people have them, as the arrays that a model was trained on.

Models are trained on what OpenCV reads with its flag for colour: 8 bit, three channels, blue first,
turned upright. Every kind of picture is brought to that, as OpenCV would:

- EXIF's orientation is applied;
- alpha is dropped, not laid on a ground: training read the colours below it;
- of 16 bits the upper 8 are taken, value // 256, nothing is stretched;
- grey becomes three equal channels; CMYK, palettes and other spaces become red, green, blue;
- of several pages or frames in a file the first is taken.

A model of one channel gets grey. One of any other number of channels gets arrays as they are.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

ARRAYS = ".npy"
SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm",
    ".pgm", ".jp2", ".avif", ARRAYS,
)  # fmt: skip
_GREY_WEIGHTS = (0.114, 0.587, 0.299)  # of blue, green, red; ITU-R BT.601
_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_ORDERS = ("bgr", "rgb")
# Of one file; as Pillow's own limit, which other libraries, such as SAHI, turn off.
LARGEST = 178_956_970


class Unreadable(ValueError):
    """A picture that can't be read; the message says why."""


def read_picture(picture: Any, channels: int = 3, order: str | None = None) -> np.ndarray:
    """Bring a picture to the array that a model takes.

    Args:
        picture: A path; the bytes of a file; a PIL picture; an array (H, W), (H, W, 1), (H, W, 3)
            or (H, W, 4); or a tensor (H, W), (1, H, W), (3, H, W) or (4, H, W). Numbers are uint8,
            uint16, bool, or floating point from 0 to 1.
        channels: Of the images that the model takes. With others than 1 and 3, arrays (H, W,
            channels), tensors (channels, H, W) and files of ``numpy.save`` alone are taken, and
            their numbers stay as they are.
        order: Of the colours in an array or a tensor: ``"bgr"`` or ``"rgb"``. None is blue first in
            arrays, as of OpenCV and the inferencers of mmdet and mmseg, and red first in tensors,
            as of torchvision.

    Returns:
        uint8 (H, W, channels), blue first; for other numbers of channels (H, W, channels) as given.

    Raises:
        Unreadable: It is cut, no picture, or has other channels or numbers than can be taken.
        TypeError: It is none of these kinds.
    """
    if order not in (None, *_ORDERS):
        raise ValueError(f"order must be one of {_ORDERS}, or None, not {order!r}")
    if isinstance(picture, (str, Path)):
        return _from_file(Path(picture), channels)
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(picture), channels)
    if isinstance(picture, Image.Image):
        return _for_model(_from_pil(picture), channels)
    if isinstance(picture, torch.Tensor):
        return _from_array(_channels_last(picture), channels, order or "rgb")
    if isinstance(picture, np.ndarray):
        return _from_array(picture, channels, order or "bgr")
    raise TypeError(
        f"a {type(picture).__name__} is no picture: give a path, bytes, an array (H, W, 3), a "
        "tensor (3, H, W) or a PIL picture"
    )


def begins_as_picture(content: bytes) -> bool:
    """Whether bytes are those of a picture's file."""
    try:
        with Image.open(io.BytesIO(content)):
            return True
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError):
        return False


def shown(image: np.ndarray) -> np.ndarray:
    """A model's image as one that people can look at: uint8 (H, W, 3), red first.

    Of images that are not of 1 or 3 channels the first three are shown, from darkest to lightest.
    """
    channels = image.shape[2]
    if channels == 3:
        return np.ascontiguousarray(image[:, :, ::-1])
    if channels == 1 and image.dtype == np.uint8:
        return np.repeat(image, 3, axis=2)
    first = image[:, :, [0, min(1, channels - 1), min(2, channels - 1)]].astype(np.float32)
    low, high = float(first.min()), float(first.max())
    return ((first - low) * (255 / max(high - low, 1e-6))).astype(np.uint8)


def _from_file(path: Path, channels: int) -> np.ndarray:
    try:
        if path.suffix.lower() == ARRAYS:
            return _from_array(_saved_array(path), channels, "bgr")
        with path.open("rb") as file:
            return _from_stream(file, channels)
    except OSError as error:
        raise Unreadable(error.strerror or _line(error)) from error


def _saved_array(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise Unreadable(f"it is no array of numbers of numpy.save ({_line(error)})") from error


def _from_bytes(content: bytes, channels: int) -> np.ndarray:
    return _from_stream(io.BytesIO(content), channels)


def _from_stream(file: Any, channels: int) -> np.ndarray:
    """Read and decode, unless it would swell to more pixels than people have."""
    try:
        with Image.open(file) as picture:
            if picture.width * picture.height > LARGEST:
                raise Image.DecompressionBombError
            return _for_model(_from_pil(picture), channels)
    except UnidentifiedImageError as error:
        raise Unreadable("it is no picture that Pillow can read") from error
    except Image.DecompressionBombError as error:
        raise Unreadable(
            f"it has more than {LARGEST} pixels, as files have that swell in memory: cut it into "
            "parts, or give it as an array"
        ) from error
    except Unreadable:
        raise
    except Exception as error:  # decoders raise anything at broken bytes
        raise Unreadable(f"it is broken ({_line(error)})") from error


def _from_pil(picture: Image.Image) -> np.ndarray:
    """uint8 (H, W) of grey, (H, W, 3) of colours, red first."""
    turned = ImageOps.exif_transpose(picture)
    if turned.mode in _SIXTEEN_BIT:
        return _eight_bits(np.asarray(turned))
    if turned.mode == "F":
        return _eight_bits(np.asarray(turned))
    if turned.mode in ("1", "L", "LA", "La"):
        return np.asarray(turned.convert("L"))
    if turned.mode in ("P", "PA"):  # colours that are transparent are colours
        turned = turned.convert("RGBA")
    return np.asarray(turned.convert("RGB"))


def _from_array(array: np.ndarray, channels: int, order: str) -> np.ndarray:
    """An array of a caller, its colours in this order."""
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise Unreadable(f"an array of shape {array.shape} is no picture; (H, W, 3) is one")
    if channels not in (1, 3):
        if array.ndim != 3 or array.shape[2] != channels:
            raise Unreadable(
                f"the model takes images of {channels} channels, and this array is {array.shape}, "
                f"not (H, W, {channels})"
            )
        return np.array(array, order="C")
    last = 1 if array.ndim == 2 else array.shape[2]
    if last not in (1, 3, 4):
        raise Unreadable(
            f"an array of shape {array.shape} is taken with 1, 3 or 4 channels in its last "
            "dimension; in tensors they come first"
        )
    pixels = _eight_bits(array)
    if last == 1:
        return _for_model(pixels.reshape(pixels.shape[:2]), channels)
    pixels = pixels[:, :, :3]  # alpha comes last in either order
    return _for_model(pixels[:, :, ::-1] if order == "bgr" else pixels, channels)


def _channels_last(tensor: torch.Tensor) -> np.ndarray:
    array = tensor.detach().cpu()
    if array.dtype == torch.bfloat16:
        array = array.float()
    return array.permute(1, 2, 0).numpy() if array.ndim == 3 else array.numpy()


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    """Any kind of numbers as uint8.

    Raises:
        Unreadable: They are of no kind whose white is known.
    """
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * 255
    low, high = pixels.min(), pixels.max()
    if pixels.dtype.kind == "f" and low >= 0 and high <= 1:
        return np.rint(pixels.astype(np.float32) * 255).astype(np.uint8)
    if pixels.dtype.kind in "ui" and pixels.dtype.itemsize > 1 and low >= 0 and high < 65536:
        return (pixels // 256).astype(np.uint8)
    raise Unreadable(
        f"its numbers are {pixels.dtype} from {low} to {high}; taken are uint8, uint16 and "
        "floating point from 0 to 1"
    )


def _for_model(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Grey (H, W), or colours (H, W, 3) with red first, as a model's image."""
    if channels == 3:
        if pixels.ndim == 2:
            return np.repeat(pixels[:, :, None], 3, axis=2)
        return np.array(pixels[:, :, ::-1], order="C")  # a copy: the caller's stays as it is
    if channels == 1:
        if pixels.ndim == 3:
            weights: Sequence[float] = _GREY_WEIGHTS[::-1]
            pixels = np.rint(pixels @ np.array(weights, dtype=np.float32)).astype(np.uint8)
        return np.array(pixels[:, :, None], order="C")
    raise Unreadable(
        f"the model takes images of {channels} channels, and a picture's file has not these: give "
        f"arrays (H, W, {channels}), or files of numpy.save with the suffix {ARRAYS}"
    )


def _line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text and "BytesIO" not in text[0] else type(error).__name__
