"""Who is in a faces store made in bulk, in which split, and the jobs that draw it.

A job is the pictures of one person or one clip of a person. It has a place of its own in the seed's tree, so neither
the number of processes nor a stop in between changes a byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mtclar.errors import MtclarError
from mtclar.synthesis.plan import CLIPS, NUMBERS, PICTURES, SPLITS, Split, generator, person_id

if TYPE_CHECKING:
    from mtclar.settings import SynthesizeSettings


@dataclass(frozen=True)
class Job:
    """One thing to draw: a person's pictures, or a clip of a person.

    Attributes:
        kind: what it is.
        person: index of the person.
        split: the person's.
        key: place in the seed's tree.
        count: faces it gives: pictures, or frames of the clip.
    """

    kind: Literal["stills", "clip"]
    person: int
    split: Split
    key: tuple[int, int]
    count: int

    @property
    def name(self) -> str:
        """What files, clips and face_ids are called after."""
        return person_id(self.person) + ("-clip" if self.kind == "clip" else "")


def bulk_jobs(s: SynthesizeSettings) -> list[Job]:
    """The jobs of a store in the order in which it holds them: everybody's pictures, then the clips.

    Raises:
        MtclarError: a split would be empty, or has fewer people than clips.
    """
    splits = _splits(s)
    jobs = []
    for person, split in enumerate(splits):
        count = s.stills if split == "train" else s.stills_held_out
        jobs.append(Job("stills", person, split, (PICTURES, person), count))
    held_out: tuple[Split, ...] = ("validation", "test")
    for split in held_out:
        people = [person for person, name in enumerate(splits) if name == split]
        if len(people) < s.clips:
            raise MtclarError(
                f"synthesize.clips is {s.clips}, one a person, but {split} has {len(people)} people; "
                f"ask for fewer clips, more people or a larger synthesize.{split}."
            )
        for person in people[: s.clips]:
            frames = generator(s.seed, NUMBERS, person).integers(round(s.frames * 2 / 3), round(s.frames * 4 / 3) + 1)
            jobs.append(Job("clip", person, split, (CLIPS, person), int(frames)))
    return jobs


def pictures_tried(jobs: list[Job], pictures: int) -> list[int]:
    """On how many whole pictures of each job the detector is tried: `pictures` of them, spread over all jobs."""
    shares = [(i + 1) * pictures // len(jobs) - i * pictures // len(jobs) for i in range(len(jobs))]
    return [min(share, job.count) for share, job in zip(shares, jobs, strict=True)]


def _splits(s: SynthesizeSettings) -> list[Split]:
    validation, test = (max(1, round(share * s.people)) for share in (s.validation, s.test))
    train = s.people - validation - test
    if train < 1:
        raise MtclarError(
            f"synthesize.validation {s.validation:g} and synthesize.test {s.test:g} of {s.people} people leave nobody "
            "to train on; make them smaller."
        )
    counts: dict[Split, int] = {"train": train, "validation": validation, "test": test}
    names = [split for split, count in counts.items() for _ in range(count)]
    return [names[i] for i in generator(s.seed, SPLITS).permutation(s.people)]
