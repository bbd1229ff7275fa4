"""Where the bits of a picture went, without torch: y is what is left when the rest is decoded."""

from __future__ import annotations

import numpy as np
from safetensors import safe_open

from wavenetmv.bitstream import PictureStream, ScaleTables, SymbolDecoder, decode_quality_map
from wavenetmv.errors import CorruptStream
from wavenetmv.models.config import ModelConfig
from wavenetmv.models.registry import find_weights, parse_card
from wavenetmv.models.z_prior import z_scale_indexes

_HYPER_FACTOR = 64  # pixels per hyper-latent, and cell of a map, along a side; model id 1


def payload_bits(stream: PictureStream) -> dict[str, int]:
    """Bits of the entropy-coded payload by what they carry: {"z": ..., "y": ...}, and "map"
    where there is a quality map.

    Raises CheckpointError when the stream's weights are not there and CorruptStream when
    its payload is damaged.
    """
    header = stream.header
    info = find_weights(header.model_id, header.weights_hash)
    with safe_open(info.path, framework="numpy") as file:
        config = parse_card(file.metadata() or {}, info.path)["config"]
        anchors, radii, frequencies = (
            file.get_tensor(name)
            for name in ("entropy.z_index", "tables.radii", "tables.frequencies")
        )
    rows, columns = (-(-side // _HYPER_FACTOR) for side in (header.height, header.width))
    try:
        block = ModelConfig.from_dict(config).block_of(header.profile)
    except ValueError as error:
        raise CorruptStream(f"stream header: {error}") from error
    indexes = np.repeat(z_scale_indexes(anchors, header.lambda_index, block), rows * columns)
    tables = ScaleTables.from_arrays(radii, frequencies)
    decoder = SymbolDecoder(stream.frame.coded, tables)
    left, bits = 8 * len(stream.frame.coded), dict[str, int]()

    def count(name: str) -> None:
        """What was decoded last."""
        nonlocal left
        bits[name] = left - min(decoder.bits_left, left)
        left -= bits[name]

    if header.quality_map:
        decode_quality_map(decoder, (rows, columns), tables)
        count("map")
    decoder.decode(indexes)
    count("z")
    return bits | {"y": left}
