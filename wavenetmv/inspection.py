"""Where the bits of a picture went, without torch: z is decoded, y is the rest."""

from __future__ import annotations

import numpy as np
from safetensors import safe_open

from wavenetmv.bitstream import PictureStream, ScaleTables, SymbolDecoder
from wavenetmv.errors import CorruptStream
from wavenetmv.models.config import ModelConfig
from wavenetmv.models.registry import find_weights, parse_card
from wavenetmv.models.z_prior import z_scale_indexes

_HYPER_FACTOR = 64  # pixels per hyper-latent along a side, model id 1


def payload_bits(stream: PictureStream) -> dict[str, int]:
    """Bits of the entropy-coded payload by what they carry: {"z": ..., "y": ...}.

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
    decoder = SymbolDecoder(stream.frame.coded, ScaleTables.from_arrays(radii, frequencies))
    total = 8 * len(stream.frame.coded)
    decoder.decode(indexes)
    y_bits = min(decoder.bits_left, total)
    return {"z": total - y_bits, "y": y_bits}
