"""The viewer in a notebook's cell."""

from convlens.hosts.notebook.keeping import keep

__all__ = ["keep"]
