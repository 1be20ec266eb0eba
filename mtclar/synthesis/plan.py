"""Who is in a sample, in which split, and the list of jobs that draw it.

Every person and every job has its own seed, spawned from the sample's seed by its place in the plan, so neither the
number of workers nor their order changes a byte, and a larger sample draws new people as a smaller one would.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from mtclar.errors import MtclarError
from mtclar.synthesis.identity import Person, draw_person

Split = Literal["train", "validation", "test"]
#: Shares of validation and test among all people, and among those seen in clips: bands are calibrated on the clips of
#: validation people and judged on those of test people, and both need many.
SHARES, CLIP_SHARES = (0.10, 0.20), (0.45, 0.45)
#: Places in the seed's tree.
PEOPLE, SPLITS, PICTURES, CLIPS, VIDEOS, NUMBERS, TROUBLES = range(7)
#: Frames a second of the MP4s, in turn; the third is NTSC's.
VIDEO_RATES = (Fraction(25), Fraction(30), Fraction(30000, 1001))


@dataclass(frozen=True)
class Job:
    """One thing to draw: a person's pictures, a clip or a video.

    Attributes:
        kind: what it is.
        name: the person's id, the clip's number or the video's name.
        people: indices of the people in it.
        split: the split of all of them.
        key: place in the seed's tree.
        frames: number of frames (pictures: of expressions).
        rate: frames a second.
        numbers: picture ids, for pictures.
    """

    kind: Literal["pictures", "clip", "video"]
    name: str
    people: tuple[int, ...]
    split: Split
    key: tuple[int, int]
    frames: int
    rate: Fraction
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Plan:
    """All of a sample before anything is drawn."""

    seed: int
    splits: tuple[Split, ...]
    jobs: tuple[Job, ...]


def generator(seed: int, *place: int) -> np.random.Generator:
    """The random generator of a place in a seed's tree."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=place))


def person_id(index: int) -> str:
    """A person's name in the files."""
    return f"p{index:04d}"


def person_of(seed: int, index: int) -> Person:
    """The person of an index in a sample."""
    return draw_person(generator(seed, PEOPLE, index), person_id(index))


def affectnet_folder(split: Split) -> str:
    """AffectNet has two folders: training people go in one, validation and test people in the other."""
    return "train_set" if split == "train" else "val_set"


def make_plan(*, people: int, clips: int, frames: int, seed: int) -> Plan:
    """Plan a sample.

    Raises:
        MtclarError: a number is too small to fill three splits.
    """
    if people < 3:
        raise MtclarError(f"people is {people}: at least 3 are needed, one for each split")
    if clips < 0 or frames < 10 or seed < 0:
        raise MtclarError(f"clips {clips}, frames {frames}, seed {seed}: expected clips >= 0, frames >= 10, seed >= 0")
    splits = _draw_splits(generator(seed, SPLITS), people, min(clips, people))
    jobs = [*_picture_jobs(seed, splits), *_clip_jobs(seed, splits, clips, frames), *_video_jobs(splits, clips, frames)]
    return Plan(seed, splits, tuple(jobs))


def _draw_splits(rng: np.random.Generator, people: int, clips: int) -> tuple[Split, ...]:
    """Split people; the first `clips` of them will be seen in clips, and more of those are held out."""
    validation, test = (max(1, round(share * people)) for share in SHARES)
    in_clips = [min(limit, round(share * clips)) for share, limit in zip(CLIP_SHARES, (validation, test), strict=True)]

    def block(size: int, held: list[int]) -> list[Split]:
        counts: dict[Split, int] = {"validation": held[0], "test": held[1], "train": size - sum(held)}
        names = [split for split, count in counts.items() for _ in range(count)]
        return [names[i] for i in rng.permutation(size)]

    rest = [min(n, people - clips) for n in (validation - in_clips[0], test - in_clips[1])]
    if sum(rest) > people - clips:
        rest = [0, 0]
    splits = block(clips, in_clips) + block(people - clips, rest)
    wanted: tuple[Split, ...] = ("validation", "test", "train")
    for i, name in enumerate(wanted):
        if name not in splits:
            splits[-1 - i] = name
    return tuple(splits)


def _picture_jobs(seed: int, splits: tuple[Split, ...]) -> list[Job]:
    """Eight pictures a person; ids start at 0 in each folder, with gaps, so that the same id occurs in both."""
    jobs: list[Job] = []
    following = {"train_set": 0, "val_set": 0}
    gaps = generator(seed, NUMBERS)
    for i, split in enumerate(splits):
        numbers = []
        for _ in range(8):
            folder = affectnet_folder(split)
            numbers.append(following[folder])
            following[folder] += int(gaps.integers(1, 4))
        jobs.append(Job("pictures", person_id(i), (i,), split, (PICTURES, i), 8, Fraction(25), tuple(numbers)))
    return jobs


def _clip_jobs(seed: int, splits: tuple[Split, ...], clips: int, frames: int) -> list[Job]:
    jobs = []
    for c in range(clips):
        person = c % len(splits)
        length = int(generator(seed, NUMBERS, c).integers(round(frames * 2 / 3), round(frames * 4 / 3) + 1))
        jobs.append(Job("clip", f"{c + 1:03d}", (person,), splits[person], (CLIPS, c), length, Fraction(25)))
    return jobs


def _video_jobs(splits: tuple[Split, ...], clips: int, frames: int) -> list[Job]:
    """Up to four videos of one person, one of two people and one whose face leaves the picture; test people.

    They are twice as long as a clip, and a little.
    """
    if clips == 0:
        return []
    # Those not seen in clips come first: the end of the list.
    held_out = [i for i, split in enumerate(splits) if split == "test"][::-1]
    names = [f"solo_{k + 1}" for k in range(min(4, clips))] + ["leaves_frame", "two_people"]
    jobs, turn = [], 0
    for v, name in enumerate(names):
        count = 2 if name == "two_people" and len(held_out) > 1 else 1
        people = tuple(held_out[(turn + k) % len(held_out)] for k in range(count))
        turn += count
        rate = VIDEO_RATES[v % len(VIDEO_RATES)]
        jobs.append(Job("video", name, people, "test", (VIDEOS, v), 2 * frames + 3, rate))
    return jobs
