"""Videos to what is in their frames: results frame by frame, tracks of objects, a summary."""

from wavenetmv.video_analysis.analyzer import AnalyzedFrame, VideoAnalyzer, by_latents
from wavenetmv.video_analysis.overlay import Overlay
from wavenetmv.video_analysis.summary import ClassSummary, Summary
from wavenetmv.video_analysis.tracking import Tracker, check_library

__all__ = [
    "AnalyzedFrame",
    "ClassSummary",
    "Overlay",
    "Summary",
    "Tracker",
    "VideoAnalyzer",
    "by_latents",
    "check_library",
]
