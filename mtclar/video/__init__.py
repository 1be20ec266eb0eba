"""Frames with the times their container gives them, upright and in presentation order, one in memory at a time."""

from mtclar.video.find import OVERLAY_SUFFIX, VIDEO_SUFFIXES, find_videos, is_overlay, passed_over, video_ids
from mtclar.video.frames import Frame, Video, VideoFacts
from mtclar.video.reader import open_video

__all__ = [
    "OVERLAY_SUFFIX",
    "VIDEO_SUFFIXES",
    "Frame",
    "Video",
    "VideoFacts",
    "find_videos",
    "is_overlay",
    "open_video",
    "passed_over",
    "video_ids",
]
