"""Video files, pipes and sequences of pictures to frames and back; audio past them."""

from wavenetmv.io.video.audio import AUDIO_LIMIT_BYTES, cut_audio, read_audio
from wavenetmv.io.video.containers import CONTAINERS, CRF_DEFAULT
from wavenetmv.io.video.reading import VideoReader
from wavenetmv.io.video.recognise import is_video
from wavenetmv.io.video.writing import VideoWriter

__all__ = [
    "AUDIO_LIMIT_BYTES",
    "CONTAINERS",
    "CRF_DEFAULT",
    "VideoReader",
    "VideoWriter",
    "cut_audio",
    "is_video",
    "read_audio",
]
