"""Videos from file to stream and back: reading, coding and writing at the same time."""

from wavenetmv.video.decoding import DecodedVideo, decode_video
from wavenetmv.video.encoding import EncodingInterrupted, encode_video
from wavenetmv.video.selection import ALL, Selection, parse_frames, parse_times
from wavenetmv.video.summary import VideoSummary

__all__ = [
    "ALL",
    "DecodedVideo",
    "EncodingInterrupted",
    "Selection",
    "VideoSummary",
    "decode_video",
    "encode_video",
    "parse_frames",
    "parse_times",
]
