"""What a cell shows, and its still form."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from convlens.errors import ConvlensError
from convlens.lens import FeatureMap, FeatureMaps, Kernels, Lens

PLAIN = "text/plain"


@dataclass(frozen=True, slots=True)
class Shown:
    """A lens, with maps or without, and where it opens; ``what`` is the object that was named."""

    what: object
    lens: Lens
    maps: FeatureMaps | None
    layer: str | None = None
    tab: Literal["maps", "kernels"] = "maps"

    @classmethod
    def of(cls, what: object) -> Shown:
        """What to show for an object of the lens.

        Raises:
            NotImplementedError: it stands alone, without the lens that it came from.
        """
        match what:
            case Lens():
                return cls(what, what, None, tab="kernels")
            case FeatureMaps():
                return cls(what, what.lens, what)
            case FeatureMap() if what.maps is not None:
                return cls(what, what.maps.lens, what.maps, what.name)
            case Kernels() if what.lens is not None:
                return cls(what, what.lens, None, what.name, "kernels")
        raise NotImplementedError(f"{type(what).__name__} has no viewer: it doesn't know its lens")

    def still(self) -> dict[str, Any]:
        """What shows where nothing runs, by media type: the words, and a picture or the network's table."""
        plain = {PLAIN: repr(self.what)}
        try:
            if isinstance(self.what, Lens):
                return {**plain, "text/html": self.what._repr_html_()}
            drawn = self.what if self.maps is None or self.layer is not None else self._first()
            if isinstance(drawn, FeatureMap | Kernels):
                return {**plain, "image/png": b64encode(drawn.png()).decode()}
        except ConvlensError:  # an empty array has no picture
            pass
        return plain

    def _first(self) -> FeatureMap | None:
        """The first layer with kernels, or with maps at all."""
        assert self.maps is not None
        planes = [found for found in self.maps.values() if len(found.shape) == 3]
        return next((found for found in planes if found.layer.has_kernels), planes[0] if planes else None)


def as_html(still: dict[str, Any]) -> str:
    """The still form as an element of a page.

    >>> as_html({"text/plain": "a < b"})
    '<pre>a &lt; b</pre>'
    """
    if "text/html" in still:
        return str(still["text/html"])
    words = escape(still[PLAIN])
    if "image/png" in still:
        return f'<img alt="{words}" src="data:image/png;base64,{still["image/png"]}">'
    return f"<pre>{words}</pre>"
