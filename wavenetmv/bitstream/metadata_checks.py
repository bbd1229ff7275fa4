"""How much metadata a stream may have. Normative text: docs/FORMAT.md section 8."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from wavenetmv.bitstream.packets import MAX_METADATA_PACKETS
from wavenetmv.errors import CorruptStream
from wavenetmv.types import Metadata, MetadataKind

# A few kilobytes of packets can expand to gigabytes one chunk at a time.
MAX_METADATA_TOTAL = 1 << 26  # bytes of all chunks of a stream, expanded


def check_metadata(metadata: Sequence[Metadata]) -> None:
    """ValueError if a stream cannot have all these chunks."""
    if len(metadata) > MAX_METADATA_PACKETS:
        raise ValueError(f"{len(metadata)} metadata chunks; the limit is {MAX_METADATA_PACKETS}")
    if (total := sum(len(chunk.data) for chunk in metadata)) > MAX_METADATA_TOTAL:
        raise ValueError(f"metadata has {total} bytes; the limit is {MAX_METADATA_TOTAL}")
    for kind, count in Counter(chunk.kind for chunk in metadata).items():
        if count > 1 and kind is not MetadataKind.TEXT:
            raise ValueError(f"{kind.name} metadata occurs {count} times; once is allowed")


def check_metadata_total(metadata: Sequence[Metadata]) -> None:
    """While reading: stop before the next chunk can add another 16 MiB. CorruptStream."""
    if (total := sum(len(chunk.data) for chunk in metadata)) > MAX_METADATA_TOTAL:
        raise CorruptStream(f"metadata expands to {total} bytes; limit {MAX_METADATA_TOTAL}")
