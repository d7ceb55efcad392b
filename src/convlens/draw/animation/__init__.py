"""Pictures that move: a window slides over its input, and the output fills up with the numbers that it makes.

>>> import tempfile
>>> from convlens.draw import animation
>>> found = animation.convolution(input=(5, 5), kernel=(3, 3), stride=2, padding=1)
>>> len(found), found.values[:3]
(9, (6.0, 17.0, 3.0))
>>> with tempfile.TemporaryDirectory() as folder:
...     [path.name for path in animation.save(found, f"{folder}/conv.gif")]
['conv.gif']
"""

from convlens.draw.animation.examples import convolution, pooling, transposed
from convlens.draw.animation.looks import THEMES, Look
from convlens.draw.animation.saving import save
from convlens.draw.animation.sliding import Slide, slide

__all__ = ["THEMES", "Look", "Slide", "convolution", "pooling", "save", "slide", "transposed"]
