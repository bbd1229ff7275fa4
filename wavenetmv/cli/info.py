"""wmv info"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wavenetmv.cli import options, render
from wavenetmv.cli.info_lines import show
from wavenetmv.errors import CheckpointError, CorruptStream, InputError, WmvError

if TYPE_CHECKING:
    from wavenetmv.bitstream import StreamInfo

_LIMIT_BYTES = 1 << 30  # of a stream held in memory
_HEAD_BYTES = 64  # enough to see that a file is not ours, before reading all of it


def info(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help=".wmv files, or - for stdin.")
    ],
    verify: Annotated[
        bool, typer.Option("--verify", help="Exit with 3 if any CRC or packet is wrong.")
    ] = False,
    packets: Annotated[
        bool, typer.Option("--packets", help="List every packet of a video, not only their sums.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Show what .wmv files contain. Needs no weights; pixels are not decoded."""
    exit_code = 0
    for source in inputs:
        try:
            record = _describe(source)
            if as_json:
                typer.echo(json.dumps(record))
            else:
                show(record, verify=verify, every_packet=packets or record["kind"] == "picture")
            if verify and record["problems"]:
                raise CorruptStream(f"{source}: {'; '.join(record['problems'])}")
        except WmvError as error:
            exit_code = exit_code or error.exit_code
            render.item_error(source, error)
    if exit_code:
        raise typer.Exit(exit_code)


def _describe(source: str) -> dict[str, Any]:
    from wavenetmv.bitstream import declares_video, inspect
    from wavenetmv.io.files import open_source, translated
    from wavenetmv.io.heads import with_head

    with open_source(source) as opened, translated(source):
        head, file = with_head(opened, _HEAD_BYTES)
        if head[1:4] != b"WMV":
            inspect(head)  # raises the error that says what it is instead
        if declares_video(head):
            stream = inspect(file, keep_going=True)
            return _record(source, stream) | _video_record(stream)
        data = file.read(_LIMIT_BYTES + 1)
    if len(data) > _LIMIT_BYTES:
        raise InputError(f"{source}: more than {_LIMIT_BYTES} bytes")
    stream = inspect(data, keep_going=True)
    bpp = 8 * stream.total_bytes / stream.header.pixels
    more = {"kind": "picture", "frames": 1, "fps": None, "bpp": bpp}
    return _record(source, stream) | more | {"bits": _payload_bits(data, stream)}


def _record(source: str, stream: StreamInfo) -> dict[str, Any]:
    from wavenetmv.bitstream import FORMAT_VERSION

    header = stream.header
    name, present = _weights(header.model_id, header.weights_hash)
    return {
        "input": source,
        "format_version": FORMAT_VERSION,
        "width": header.width,
        "height": header.height,
        "colour": header.colour.name.lower(),
        "bit_depth": header.bit_depth,
        "alpha": header.alpha,
        "lambda": header.lmbda,
        "profile": header.profile.name.lower(),
        "quality_map": header.quality_map,
        "model_id": header.model_id,
        "model": name,
        "weights_hash": header.weights_hash.hex(),
        "weights_present": present,
        "bytes": stream.total_bytes,
        "header_bytes": stream.header_bytes,
        "packets": [
            {
                "kind": packet.name,
                "offset": packet.offset,
                "bytes": packet.total_bytes,
                "payload_bytes": packet.payload_bytes,
                "crc_ok": packet.crc_ok,
            }
            for packet in stream.packets
        ],
        "problems": list(stream.problems),
    }


def _video_record(stream: StreamInfo) -> dict[str, Any]:
    """What a video has more than a picture; times in seconds, from its sound packets."""
    video, facts = stream.header.video, stream.video
    assert video is not None
    assert facts is not None  # inspect gives both or neither
    duration_s = None
    if facts.first_time is not None and facts.last_time is not None:
        duration_s = float((facts.last_time - facts.first_time) * video.tick + 1 / video.rate)
    bits = 8 * stream.total_bytes
    return {
        "kind": "video",
        "frames": facts.frames,
        "frames_expected": video.frame_count or None,
        "intra_frames": facts.intra_frames,
        "inter_frames": facts.inter_frames,
        "fps": float(video.rate),
        "variable_rate": video.variable_rate,
        "duration_s": duration_s,
        "bits_per_second": bits / duration_s if duration_s else None,
        "bpp": bits / (stream.header.pixels * facts.frames) if facts.frames else None,
        "pixel_aspect": str(video.pixel_aspect),
        "matrix": video.matrix,
        "full_range": video.full_range,
        "audio_codecs": list(facts.audio_codecs),
        "bits": {},
    }


def _weights(model_id: int, weights_hash: bytes) -> tuple[str | None, bool]:
    """The weights' name, None if they are not here, and whether they are."""
    from wavenetmv.models.registry import find_weights

    try:
        return find_weights(model_id, weights_hash).name, True
    except CheckpointError:  # missing or damaged: the stream can be described all the same
        return None, False


def _payload_bits(data: bytes, stream: StreamInfo) -> dict[str, int]:
    """Bits by part of the payload, "z" and "y"; empty where that cannot be told."""
    from wavenetmv.bitstream import read_picture_stream
    from wavenetmv.inspection import payload_bits

    if stream.problems:
        return {}
    try:
        return payload_bits(read_picture_stream(io.BytesIO(data), stream.header.pixels))
    except CheckpointError:  # the weights hold the tables, and they are not here
        return {}
