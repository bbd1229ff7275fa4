"""Pixels to files and back; nothing here knows the codec or its stream."""

from wavenetmv.io.files import STDIO, open_sink, open_source
from wavenetmv.io.formats import READABLE_SUFFIXES, SUFFIXES
from wavenetmv.io.images import from_array, from_pil, read_picture
from wavenetmv.io.writing import to_pil, write_picture

__all__ = [
    "READABLE_SUFFIXES",
    "STDIO",
    "SUFFIXES",
    "from_array",
    "from_pil",
    "open_sink",
    "open_source",
    "read_picture",
    "to_pil",
    "write_picture",
]
