"""Valence and arousal for every frame of a video, from a few labelled anchor frames (MT-CLAR)."""

from mtclar.environment import prepare

prepare()

__version__ = "0.1.0"
