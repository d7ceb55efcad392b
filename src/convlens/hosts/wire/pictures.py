"""The pictures that every host sends: as the network reads them, and as they were given."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from convlens.hosts.wire.identity import content_id
from convlens.hosts.wire.schema import PictureFact
from convlens.lens.tiles import as_planes
from convlens.pictures import Picture, as_shown
from convlens.pictures.showing import as_pixels

if TYPE_CHECKING:
    from convlens.lens import FeatureMaps


def as_read(maps: FeatureMaps) -> NDArray[np.uint8] | None:
    """The picture as the network reads it, before its values are scaled; receptive fields count in its pixels.

    (rows, columns, 1 or 3); ``None`` where what was fed is no picture.
    """
    value = maps.value(maps.network.inputs[0].name)
    if maps.picture is not None and maps.recipe is not None:
        rows, columns = as_planes(value).shape[2:]
        return as_shown(maps.picture, maps.recipe, rows, columns)
    return as_pixels(value)


def picture_fact(picture: Picture, *, sample: bool, credit: str | None = None) -> PictureFact:
    """A picture, under an id that is made of its pixels."""
    pixels = np.ascontiguousarray(picture.pixels)
    return PictureFact(
        id=content_id(f"{pixels.dtype} {pixels.shape}", pixels.reshape(-1).view(np.uint8).data),
        name=picture.name,
        rows=picture.rows,
        columns=picture.columns,
        channels=picture.channels,
        sample=sample,
        credit=credit,
        notes=list(picture.notes),
    )


def fed_fact(maps: FeatureMaps, id: str) -> PictureFact:
    """What stands in the place of a picture, where an array was fed untouched."""
    channels, _, rows, columns = as_planes(maps.value(maps.network.inputs[0].name)).shape
    return PictureFact(
        id=id,
        name="the array that was fed",
        rows=rows,
        columns=columns,
        channels=channels,
        sample=True,
        credit=None,
        notes=[],
    )


def as_webp(picture: Picture, width: int) -> bytes:
    """The picture as it was given, at most ``width`` pixels wide and high, as WebP."""
    from PIL import Image

    pixels = picture.pixels if picture.pixels.dtype == "uint8" else (picture.pixels >> 8).astype("uint8")
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    image.thumbnail((width, width))
    file = BytesIO()
    image.save(file, "WEBP", quality=85)
    return file.getvalue()
