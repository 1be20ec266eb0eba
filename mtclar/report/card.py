"""The model card: what a model is, whom it learned from, how well it does, what it is for and what it is not for.

Made from the bundle's facts and from what was measured, so that no number in it can differ from them. What was not
measured is said to be not measured. The headings follow Mitchell et al., "Model Cards for Model Reporting" (2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtclar.report import card_tables as tables

MADE = frozenset({"sample", "synthetic"})
"""Data sets whose people do not exist."""

_GROUPS = {
    "skin": "skin colour",
    "yaw": "pose (degrees turned to the side)",
    "covering": "what covers the face",
    "mouth": "what the mouth does besides showing affect",
    "age": "age in looks",
    "face_px": "size of the face in the picture (pixels)",
}

_USE = """\
Labelling expressions in video for research and for building other software: a person labels a few frames and checks
the result, and the model fills in the others. Ratings of valence (unpleasant to pleasant) and arousal (calm to excited)
of *how a face looks*, in [-1, 1]. It is not a measurement of what somebody feels."""

_LIMITS = """\
- A face is not a feeling. People smile in pain and hide joy; expression and feeling differ by situation, person and
  culture. The labels are of expressions, as the anchors' rater reads them.
- With anchors of the person, their level and range are the person's own. Without any, both are guesses from how the
  faces it learned from look, and the bands are wider.
- Arousal shows less in a still face than valence does.
- Expect larger errors where a hand, hair, a mask or dark glasses cover the face, where it is seen from the side, in
  crying and in laughing with closed eyes, while somebody speaks, and where faces are dark, blurred or small, as in
  films. There the labels have to rest on the anchors and on time; give more anchors.
- Faces that the detector does not find, mostly those turned far to the side, get no label, or for a few seconds one
  that time alone tells.
- Age and skin colour of made people are a choice of colours and shapes, not of lives. Equal accuracy on them does not
  show equal accuracy on real people. Children, and people whose faces move little or differently (palsy, scars,
  autism, Parkinson's disease), were not tested at all.
- The real clip called single_face was looked at while this software was made: a few choices of training were made with
  it in view, so its numbers flatter. Nothing of the labelling was. Judge by rated clips of your own:
  `mtclar evaluate --real`.
- A rating is an opinion: another person gives another one. A real test has as many clips and ratings as it says
  and no more; its intervals tell how uncertain it is, not whether its people are like yours."""

_NOT_FOR = """\
- Decisions about a person: hiring, school, insurance, credit, policing, border control, medical or psychological
  diagnosis.
- Watching people: surveillance, monitoring of workers, pupils, drivers or customers.
- Finding out lies, intentions, guilt, attention or character.
- Telling an individual's emotions without their informed consent.

In the European Union, Article 5 of the AI Act (Regulation (EU) 2024/1689) prohibits AI systems that infer the emotions
of people at work or in education, except for medical or safety reasons, and other uses of emotion recognition carry
duties. The licence forbids no use; the law where you are may. This is not legal advice."""

_REPRODUCE = """\
```
mtclar synthesize --params recipes/shipped.yaml --face-model FaceXModel --out build/synthetic
mtclar validate --params recipes/shipped.yaml --faces build/synthetic --out build/validate
mtclar pair --params recipes/shipped.yaml --faces build/synthetic --verdict build/validate --out build/pair
mtclar train --params recipes/shipped.yaml --faces build/synthetic --pairs build/pair --out build/train
mtclar evaluate --params recipes/shipped.yaml --faces build/synthetic --pairs build/pair --checkpoint build/train \\
  --out build/evaluate
mtclar export --params recipes/shipped.yaml --checkpoint build/train --faces build/synthetic \\
  --evaluation build/evaluate --out build/export
```

Calibrated and judged on long clips of other people as the head of recipes/shipped.yaml says, then

```
mtclar evaluate --params recipes/shipped.yaml --real CLIPS --model build/final --out build/real
mtclar models ship --bundle build/final --evaluation build/judged --real build/real --out build/ship
```"""


def model_card(facts: Mapping[str, Any], metrics: Mapping[str, Any], real: Mapping[str, Any]) -> str:
    """Writes the card.

    Args:
        facts: Of bundle.json, with `name` and `version`.
        metrics: Content of metrics.json; may lack parts.
        real: Content of real.json; empty if no real face was judged.

    Returns:
        Markdown.
    """
    sections = {
        "What it is": _identity(facts),
        "Whom it learned from": _learned(facts),
        "What it is for": _USE,
        "Limits": _LIMITS,
        "What it must not be used for": _NOT_FOR,
        "Accuracy on people it has not seen": _unseen(metrics),
        "Accuracy on real people": _real(real),
        "Bands": tables.coverage(metrics),
        "Licence and credits": _licence(facts),
        "How to make it again": _again(facts),
    }
    title = f"# Model card: {facts['name']} {facts['version']}"
    return "\n\n".join([title, *(f"## {name}\n\n{body}" for name, body in sections.items())]) + "\n"


def draft_card() -> str:
    """What can be said of a model that is not finished: what such models are for, and what they are not for."""
    words = (
        "The numbers above are of a checkpoint. The card of a finished model is made of them, and of a test on real "
        "faces, by `mtclar models ship`; this part of it is true already."
    )
    parts = {"What it is for": _USE, "Limits": _LIMITS, "What it must not be used for": _NOT_FOR}
    sections = [f"## {name}\n\n{body}" for name, body in parts.items()]
    return "\n\n".join(["# Model card, before there is a bundle", words, *sections]) + "\n"


def _eight_bits(cost: Mapping[str, Any] | None) -> list[list[str]]:
    """A row that says what 8-bit integers in the encoder cost; none where there are none."""
    if cost is None:
        return []
    errors = [
        f"RMSE of {name} {cost[name]['rmse'][0]:.3f} before, {cost[name]['rmse'][1]:.3f} after"
        for name in ("valence", "arousal")
        if "rmse" in cost[name]
    ]
    words = (
        f"the encoder's convolutions are in 8-bit integers; on {cost['faces']:,} validation faces, without an anchor"
    )
    return [["arithmetic", f"{words}: {'; '.join(errors)}"] if errors else ["arithmetic", words.partition(";")[0]]]


def _identity(facts: Mapping[str, Any]) -> str:
    crop, size = facts["crop"], sum(item["bytes"] for name, item in facts["files"].items() if name.endswith(".onnx"))
    settings = facts.get("training", {}).get("settings", {})
    rows = [
        ["made by", f"mtclar {facts['mtclar_version']}"],
        ["encoder", settings.get("encoder")],
        ["what it sees of a face", f"{crop['input_size']} × {crop['input_size']} pixels"],
        ["what it answers", ", ".join(facts["tasks"]) + ", of two faces; valence, arousal and expression of one"],
        ["graphs", f"ONNX, {size / 1e6:.1f} MB"],
        *_eight_bits(facts.get("int8")),
        ["speed", "not measured here; `make bench` shows it for your machine"],
    ]
    words = (
        "A Siamese network that reads valence and arousal from faces, and the difference between two faces (the method "
        "of MT-CLAR, arXiv 2308.02173). `mtclar label` joins what it reads with a few frames that a person has "
        "labelled, the anchors, and gives every frame of a video a label with a band."
    )
    return f"{words}\n\n{tables.table(['', ''], rows, numbers=False)}"


def _learned(facts: Mapping[str, Any]) -> str:
    learned = facts.get("learned_from")
    if not learned:
        return "Not known: the bundle does not say."
    names = ", ".join(learned["datasets"])
    if set(learned["datasets"]) <= MADE:
        words = (
            "Nobody who exists. No picture of a real person was used: every face was drawn by a program, from a random "
            "mixture of the directions in which human faces differ and with an expression made to fit its label (data: "
            f"{names}). Those directions were found by the authors of the face model, in scans of people (CREDITS.md)."
        )
    else:
        words = f"People in the data sets {names}; see the licences below."
    settings = facts.get("training", {}).get("settings", {})
    said = {name: settings[name] for name in ("seed", "epochs", "augmentation", "augment") if name in settings}
    trained = f"Trained with {', '.join(f'{key} {value}' for key, value in said.items())}; " if said else ""
    return "\n\n".join(
        [
            words,
            tables.people(learned),
            "The test people took no part in training or calibration.",
            *_calibrated_on(facts),
            tables.ranges(learned),
            f"{trained}all settings stand in bundle.json.",
        ]
    )


def _calibrated_on(facts: Mapping[str, Any]) -> list[str]:
    """On whom a model was calibrated and judged that was calibrated anew, one sentence; nothing for any other."""
    known = facts.get("calibration") or {}
    if known.get("data_revision") in (None, facts.get("data_revision")):
        return []
    return [
        f"How predictions become labels and bands was fitted later, on {known.get('n_clips')} clips of other "
        "validation people who do not exist, and the accuracy below is that of the test people drawn with them: "
        "people that training has not seen either."
    ]


def _unseen(metrics: Mapping[str, Any]) -> str:
    count = metrics.get("n_people")
    judged = f"{count} people of the kind it learned from, none of them seen in training. " if count else ""
    parts = [
        f"{judged}RMSE: smaller is better. CCC: 1 is perfect. Brackets are 95 % intervals.",
        tables.synthetic(metrics),
    ]
    parts.append(tables.worst(metrics))
    for name, words in _GROUPS.items():
        parts += [f"### By {words}", tables.groups(metrics, name)]
    return "\n\n".join(parts)


def _real(real: Mapping[str, Any]) -> str:
    clips = real.get("clips") or []
    if not clips and not real.get("portraits"):
        return tables.NOT_MEASURED
    rated = sum(clip["rated"] for clip in clips)
    words = (
        f"{len(clips)} clip{'s' if len(clips) != 1 else ''} with {rated} frames rated by people. For each number of "
        "anchors, so many of the rated frames are given, in every placement or, where there are more, in "
        f"{real.get('limit')} at random, and the other rated frames are scored. Copying the latest anchor, straight "
        "lines and a smooth curve through the anchors are what the same anchors give without a model."
    )
    words += " “In band” is the share of ratings inside the band of their frame."
    parts = [words, tables.real_clips(real)] if clips else []
    return "\n\n".join([*parts, "### Portraits, without an anchor", tables.portraits(real)])


def _licence(facts: Mapping[str, Any]) -> str:
    found = tables.table(["", "terms"], [[what, terms] for what, terms in facts["licences"].items()], numbers=False)
    if not _given_away(facts):
        return f"{found}\n\nNo terms have been stated for the weights."
    return f"{found}\n\nThe texts lie beside this card: LICENSE and CREDITS.md."


def _again(facts: Mapping[str, Any]) -> str:
    revisions = f"Code revision {facts['git_revision']}, data revision {facts['data_revision']}."
    return f"{_REPRODUCE}\n\n{revisions}" if _given_away(facts) else revisions


def _given_away(facts: Mapping[str, Any]) -> bool:
    """Whether this is the model that ships, made by the repository's recipe."""
    return "weights" in facts["licences"]
