"""A record of `wmv info` for people: facts, then packets."""

from __future__ import annotations

from typing import Any

import typer

from wavenetmv.cli import render


def show(record: dict[str, Any], *, verify: bool, every_packet: bool) -> None:
    """Print it. `verify`: say that all is right; `every_packet`: not only their sums."""
    typer.echo(record["input"])
    weights = f"{record['weights_hash']} ({'here' if record['weights_present'] else 'missing'})"
    bpp = "" if record["bpp"] is None else f", {record['bpp']:.3f} bits per pixel"
    rows = [
        ("format", f"version {record['format_version']}, {record['kind']}"),
        ("size", f"{record['width']}x{record['height']}"),
        *(_video_rows(record) if record["kind"] == "video" else []),
        ("colour", _colour(record)),
        ("lambda", _lambda(record)),
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
    if every_packet:
        _show_packets(record["packets"])
    else:
        _show_sums(record["packets"])


def _video_rows(record: dict[str, Any]) -> list[tuple[str, str]]:
    expected = record["frames_expected"]
    missing = f" of {expected} expected" if expected not in (None, record["frames"]) else ""
    kinds = f"{record['intra_frames']} intra, {record['inter_frames']} inter"
    average = " on average, at variable distances" if record["variable_rate"] else ""
    rows = [
        ("frames", f"{record['frames']}{missing}: {kinds}"),
        ("rate", f"{record['fps']:.6g} frames per second{average}"),
        ("audio", ", ".join(record["audio_codecs"]) or "none"),
    ]
    if record["duration_s"]:
        minutes, seconds = divmod(record["duration_s"], 60)
        rate = f"{record['bits_per_second'] / 1000:.1f} kbit/s"
        rows.insert(2, ("duration", f"{int(minutes)}:{seconds:06.3f}, {rate}"))
    return rows


def _show_packets(packets: list[dict[str, Any]]) -> None:
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
            for packet in packets
        ],
    )


def _show_sums(packets: list[dict[str, Any]]) -> None:
    """One line for each kind of packet."""
    rows = []
    for kind in dict.fromkeys(packet["kind"] for packet in packets):
        alike = [packet for packet in packets if packet["kind"] == kind]
        wrong = sum(not packet["crc_ok"] for packet in alike)
        total = sum(packet["bytes"] for packet in alike)
        rows.append((kind, str(len(alike)), str(total), f"{wrong} WRONG" if wrong else "right"))
    render.table(("packets", "number", "bytes", "crc"), rows)


def _lambda(record: dict[str, Any]) -> str:
    focus = ", less where the quality map says so" if record["quality_map"] else ""
    return f"{record['lambda']:.4g}{focus}"


def _colour(record: dict[str, Any]) -> str:
    alpha = " with alpha" if record["alpha"] else ""
    return f"{record['colour']}{alpha}, {record['bit_depth']} bits"
