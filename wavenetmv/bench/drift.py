"""Whether errors add up from frame to frame: PSNR along one group of pictures.

    python -m wavenetmv.bench.drift [CLIP] [--frames 128] [--lambda 512] [--for human] [--json OUT]

The whole clip, from a fixed camera, is coded as one group and decoded; compared are its last
frame and its fifth, by when the first inter frames have settled.  Without CLIP a scene is made
up.  Ends with status 1 if the last frame is more than --limit dB worse, and also if the encoder
began another group on the way, for then the question was not answered.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

from wavenetmv.bench.clips import RATE, fixed_camera, read_clip
from wavenetmv.bench.results import PSNR_MAX
from wavenetmv.bitstream import PacketKind
from wavenetmv.codec import PictureCodec
from wavenetmv.errors import InputError, WmvError
from wavenetmv.metrics import Pixels, psnr
from wavenetmv.types import Profile, VideoFrame, VideoInfo
from wavenetmv.video_codec import VideoDecoder, VideoEncoder

_SETTLED = 4  # index of the frame that the last is held against


@dataclass(frozen=True)
class Drift:
    """frame_psnr in dB by frame; intra_frames by their numbers from 0."""

    frame_psnr: list[float]
    intra_frames: list[int]

    @property
    def loss_db(self) -> float:
        """How much worse the last frame is than the fifth; negative if it is better."""
        return self.frame_psnr[_SETTLED] - self.frame_psnr[-1]


def measure_drift(
    codec: PictureCodec,
    frames: list[Pixels],
    lmbda: float,
    gop: int,
    profile: Profile | None = None,
) -> Drift:
    """Code and decode `frames` uint8 [H, W, 3]. Raises InputError if they are too few."""
    if len(frames) <= _SETTLED + 1:
        raise InputError(f"a drift needs more than {_SETTLED + 1} frames, got {len(frames)}")
    height, width = frames[0].shape[:2]
    info = VideoInfo(width, height, RATE, frame_count=len(frames))
    encoder = VideoEncoder(codec, info, lmbda, profile, gop)
    assert encoder.header.video is not None
    decoder = VideoDecoder(codec, encoder.header, encoder.header.video)
    quality, intra = [], []
    for number, pixels in enumerate(frames):
        coded = encoder.encode(VideoFrame(pixels, Fraction(number) / RATE))
        if coded.kind is PacketKind.INTRA:
            intra.append(number)
        quality.append(min(psnr(pixels, decoder.decode(coded).pixels), PSNR_MAX))
    return Drift(quality, intra)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path, nargs="?")
    parser.add_argument("--frames", type=int, default=128)
    parser.add_argument("--lambda", dest="lmbda", type=float, default=512)
    parser.add_argument("--for", dest="profile", choices=("machine", "human"))
    parser.add_argument("--limit", type=float, default=0.5, help="dB that may be lost")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--inter-weights", type=Path)
    parser.add_argument("--json", type=Path, help="also PSNR of every frame")
    arguments = parser.parse_args()
    try:
        if arguments.clip:
            frames = list(read_clip(arguments.clip, arguments.frames))
        else:
            frames = list(fixed_camera(240, 320, arguments.frames))
        codec = PictureCodec(
            "cpu", weights=arguments.weights, inter_weights=arguments.inter_weights
        )
        profile = Profile[arguments.profile.upper()] if arguments.profile else None
        drift = measure_drift(codec, frames, arguments.lmbda, len(frames), profile)
    except WmvError as error:
        sys.exit(f"error: {error}")
    if arguments.json:
        record = {**asdict(drift), "loss_db": drift.loss_db}
        arguments.json.write_text(json.dumps(record, indent=1) + "\n")
    fifth, last = drift.frame_psnr[_SETTLED], drift.frame_psnr[-1]
    print(f"frame 5: {fifth:.2f} dB, frame {len(frames)}: {last:.2f} dB, lost {drift.loss_db:.2f}")
    if len(drift.intra_frames) > 1:
        sys.exit(f"not one group: frames {drift.intra_frames} (from 0) are intra frames")
    if drift.loss_db > arguments.limit:
        sys.exit(f"the last frame lost more than {arguments.limit:g} dB")


if __name__ == "__main__":
    main()
