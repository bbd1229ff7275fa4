"""wmv info"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wavenetmv.cli import options, render
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
                _show(record, verify)
            if verify and record["problems"]:
                raise CorruptStream(f"{source}: {'; '.join(record['problems'])}")
        except WmvError as error:
            exit_code = exit_code or error.exit_code
            render.item_error(source, error)
    if exit_code:
        raise typer.Exit(exit_code)


def _read(source: str) -> bytes:
    from wavenetmv.bitstream import inspect
    from wavenetmv.io.files import open_source, translated

    with open_source(source) as file, translated(source):
        head = file.read(_HEAD_BYTES)
        if head[1:4] != b"WMV":
            inspect(head)  # raises the error that says what it is instead
        data = head + file.read(_LIMIT_BYTES)
    if len(data) > _LIMIT_BYTES:
        raise InputError(f"{source}: more than {_LIMIT_BYTES} bytes")
    return data


def _describe(source: str) -> dict[str, Any]:
    from wavenetmv.bitstream import FORMAT_VERSION, inspect

    data = _read(source)
    stream = inspect(data, keep_going=True)
    header = stream.header
    name, present = _weights(header.model_id, header.weights_hash)
    frames = header.video.frame_count if header.video else 1
    return {
        "input": source,
        "format_version": FORMAT_VERSION,
        "kind": "video" if header.video else "picture",
        "width": header.width,
        "height": header.height,
        "frames": frames,
        "fps": float(header.video.rate) if header.video else None,
        "colour": header.colour.name.lower(),
        "bit_depth": header.bit_depth,
        "alpha": header.alpha,
        "lambda": header.lmbda,
        "profile": header.profile.name.lower(),
        "model_id": header.model_id,
        "model": name,
        "weights_hash": header.weights_hash.hex(),
        "weights_present": present,
        "bytes": stream.total_bytes,
        "bpp": 8 * stream.total_bytes / (header.pixels * frames) if frames else None,
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
        "bits": _payload_bits(data, stream),
        "problems": list(stream.problems),
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

    if stream.problems or stream.header.video:
        return {}
    try:
        return payload_bits(read_picture_stream(io.BytesIO(data), stream.header.pixels))
    except CheckpointError:  # the weights hold the tables, and they are not here
        return {}


def _show(record: dict[str, Any], verify: bool) -> None:
    typer.echo(record["input"])
    size = f"{record['width']}x{record['height']}"
    if record["kind"] == "video":
        size += (
            f", {record['frames'] or 'unknown number of'} frames, {record['fps']:.6g} per second"
        )
    weights = f"{record['weights_hash']} ({'here' if record['weights_present'] else 'missing'})"
    bpp = "" if record["bpp"] is None else f", {record['bpp']:.3f} bits per pixel"
    rows = [
        ("format", f"version {record['format_version']}, {record['kind']}"),
        ("size", size),
        ("colour", _colour(record)),
        ("lambda", f"{record['lambda']:.4g}"),
        ("profile", record["profile"]),
        ("model", f"{record['model'] or 'unknown'} (id {record['model_id']})"),
        ("weights", weights),
        ("bytes", f"{record['bytes']}{bpp}"),
        ("header", f"{record['header_bytes']} bytes"),
    ]
    if record["bits"]:
        rows.append(("bits", ", ".join(f"{name} {bits}" for name, bits in record["bits"].items())))
    rows += [("damage", problem) for problem in record["problems"]]
    if verify and not record["problems"]:
        rows.append(("verified", f"{len(record['packets']) + 1} CRCs are right"))
    render.facts(rows)
    render.table(
        ("packet", "offset", "bytes", "payload", "crc"),
        [
            (
                packet["kind"],
                str(packet["offset"]),
                str(packet["bytes"]),
                str(packet["payload_bytes"]),
                "right" if packet["crc_ok"] else "WRONG",
            )
            for packet in record["packets"]
        ],
    )


def _colour(record: dict[str, Any]) -> str:
    alpha = " with alpha" if record["alpha"] else ""
    return f"{record['colour']}{alpha}, {record['bit_depth']} bits"
