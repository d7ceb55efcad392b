"""The facts that cross from Python to the page: plain data with fixed shapes, for every host that shows the page.

Their schema is the server's OpenAPI document; the page's types are generated from it. Numbers in bulk don't travel
here: they go as ``.npy``. A number that JSON can't hold travels as its name: ``"NaN"``, ``"Infinity"`` or
``"-Infinity"``.
"""
