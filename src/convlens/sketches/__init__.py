"""Sketches: one line of text is a small model, as a learner would write it."""

from convlens.sketches.blocks import Sketch
from convlens.sketches.building import build
from convlens.sketches.language import parse
from convlens.sketches.tutorial import TUTORIAL, Lesson

__all__ = ["TUTORIAL", "Lesson", "Sketch", "build", "parse"]
