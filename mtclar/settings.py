"""params.yaml as frozen, typed settings.

The file is the only place of a default: every field below is required, and a key the settings do not know is refused
by name with the nearest one they do. Each step takes its own section. A recipe names the file that it stands on as its
`base` and holds the keys that it changes, and no others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from mtclar.errors import MtclarError, nearest

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """A section of params.yaml: frozen, strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SampleSettings(Section):
    """`mtclar sample`: how many people who do not exist, and who paints them."""

    people: Positive
    clips: Annotated[int, Field(ge=0)]
    frames: Annotated[int, Field(ge=10)]
    seed: int
    artist: Literal["rendered", "drawn"]
    workers: Annotated[int, Field(ge=0)]


class SynthesizeSettings(Section):
    """`mtclar synthesize`: faces of people who do not exist by the hundred thousand, and how unlike they are."""

    people: Annotated[int, Field(ge=3)]
    stills: Positive
    stills_held_out: Positive
    clips: Annotated[int, Field(ge=0)]
    frames: Annotated[int, Field(ge=10)]
    validation: Share
    test: Share
    seed: Annotated[int, Field(ge=0)]
    artist: Literal["rendered", "drawn"]
    size: Annotated[int, Field(ge=64)]
    scale: Annotated[float, Field(ge=1, le=4)]
    quality: Annotated[int, Field(ge=1, le=100)]
    pose: Annotated[float, Field(ge=0, le=2)]
    light: Annotated[float, Field(ge=0, le=2)]
    covering: Share
    camera: Annotated[float, Field(ge=0, le=2)]
    tries: Positive
    align: Literal["box", "mesh"]
    detect: Annotated[int, Field(ge=0)]
    workers: Annotated[int, Field(ge=0)]


class CropSettings(Section):
    """`mtclar crop`: where faces come from and how they are cut out."""

    source: Literal["sample", "affectnet-csv", "affectnet-npy", "afew-va", "aff-wild2", "videos"]
    detector: Literal["ladder", "full-range", "back", "short-range", "centerface", "hog", "given"]
    threshold: float
    size: Annotated[int, Field(ge=64)]
    scale: Annotated[float, Field(ge=1, le=4)]
    quality: Annotated[int, Field(ge=1, le=100)]
    align: Literal["box", "mesh"]
    fps: Annotated[float, Field(gt=0)]
    validation: Share
    test: Share
    seed: int
    max_unreadable: Share
    workers: Annotated[int, Field(ge=0)]


class ValidateSettings(Section):
    """`mtclar validate`: what the faces store must look like."""

    min_rows: Positive
    min_class_share: Share
    absent_expressions: list[str]
    max_null_affect: Share
    check_crops: Annotated[int, Field(ge=0)]


class PairSettings(Section):
    """`mtclar pair`: which faces are compared with which, in blocks."""

    seed: int
    sampling: Literal["release", "wheel-near", "wheel-far", "polarity", "affect"]
    ring: tuple[str, ...]
    distances: tuple[tuple[float, ...], ...]
    wheel_exponent: Annotated[float, Field(ge=0)]
    pairs: Positive
    pairs_held_out: Positive
    person_share: Share
    expression_share: Share
    block_faces: Annotated[int, Field(ge=4)]
    block_pairs: Annotated[int, Field(ge=2)]


Task = Literal["similarity", "valence", "arousal", "embedding"]


class TrainSettings(Section):
    """`mtclar train`: encoder, losses and schedule."""

    seed: int
    encoder: str
    encoder_options: dict[str, Any]
    pretrained: str
    freeze: Literal["pretrained", "alignment", "none"]
    fusion: Literal["concat", "absolute", "multiply", "difference"]
    antisymmetric: bool
    projector: Annotated[tuple[Positive, ...], Field(min_length=1)]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    weighing: Literal["shake", "fixed", "uncertainty"]
    task_weights: dict[Task, Weight]
    delta_loss: Literal["dynamic", "mse", "ccc"]
    mse_share: Annotated[float, Field(ge=0)]
    exponent: Annotated[float, Field(gt=0)]
    margin: Annotated[float, Field(ge=-1, le=1)]
    balanced: bool
    redraw: bool
    auxiliary: dict[Literal["affect", "expression", "actions", "landmarks", "pose", "hidden"], Weight]
    epochs: Positive
    batch_blocks: Positive
    accumulate: Positive
    optimiser: Literal["adam", "adamw"]
    learning_rate: Annotated[float, Field(gt=0)]
    schedule: Literal["one-cycle", "plateau", "constant"]
    weight_decay: Annotated[float, Field(ge=0)]
    early_stop: Annotated[int, Field(ge=0)]
    keep: Literal["last", "best"]
    augmentation: Literal["robust", "release", "strong"]
    augment: Annotated[float, Field(ge=0, le=2)]
    augment_rise: Share
    augment_without: list[Literal["place", "covering", "light", "blur", "compression"]]
    mirror: bool
    sl_projector: Annotated[tuple[Positive, ...], Field(min_length=1)]
    sl_views: Positive
    sl_balanced: bool
    sl_arousal_spread: Annotated[float, Field(ge=0)]
    sl_epochs: Positive
    sl_batch: Annotated[int, Field(ge=2)]
    sl_learning_rate: Annotated[float, Field(gt=0)]
    sl_schedule: Literal["one-cycle", "step"]
    sl_tanh_logits: bool
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "fp32", "bf16"]
    compile: bool
    memory_gb: Annotated[float, Field(ge=0)]
    workers: Annotated[int, Field(ge=0)]
    save_steps: Annotated[int, Field(ge=0)]
    threads: Annotated[int, Field(ge=0)]


Fusion = Literal["process", "latest", "nearest", "mean", "similarity", "time", "bracket", "release"]


class EvaluateSettings(Section):
    """`mtclar evaluate`: which people are judged and how sure the numbers are."""

    seed: int
    split: Literal["validation", "test"]
    clean: bool
    expressions: Literal[7, 8]
    stride: Positive
    budgets: tuple[Annotated[float, Field(gt=0, lt=1)], ...]
    supports: tuple[str, ...]
    cluster: Literal["clip", "subject"]
    bootstrap: Annotated[int, Field(ge=100)]
    coverage: Annotated[float, Field(gt=0, lt=1)]
    fusion: Fusion
    time_scale_s: Annotated[float, Field(gt=0)]
    rater_level: Annotated[float, Field(ge=0)]
    rater_scale: Annotated[float, Field(ge=0)]
    real_anchors: tuple[Positive, ...]
    real_placements: Positive


class SplitSettings(Section):
    """`mtclar split`: a faces store divided anew, by subject."""

    protocol: Literal["folds", "leave-one-out", "cross"]
    folds: Annotated[int, Field(ge=2)]
    fold: Annotated[int, Field(ge=0)]
    train_dataset: str
    test_dataset: str
    validation: Share
    seed: int


class ExportSettings(Section):
    """`mtclar export`: what the model is called, the ONNX graphs and how exactly they must agree with torch."""

    name: Annotated[str, Field(min_length=1)]
    version: Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]
    opset: Annotated[int, Field(ge=17)]
    tolerance: Annotated[float, Field(gt=0)]
    check_faces: Positive
    int8: bool


class AdoptSettings(Section):
    """`mtclar adopt`: what a foreign face network expects and answers; empty where its graph tells."""

    input: str
    input_size: Annotated[int, Field(ge=0)]
    layout: Literal["auto", "nchw", "nhwc"]
    colour: Literal["rgb", "bgr", "grey"]
    range: Literal["", "0-1", "0-255", "-1-1"]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    embedding: str
    valence: str
    arousal: str
    label_range: tuple[float, float]
    expression: str
    expressions: tuple[str, ...]
    crop_scale: Annotated[float, Field(ge=0.5, le=4)]
    tolerance: Annotated[float, Field(gt=0)]
    name: str
    licence: str
    seed: Annotated[int, Field(ge=0)]


class RegisterSettings(Section):
    """`mtclar register`: the name under which the registry knows the model."""

    model_name: Annotated[str, Field(min_length=1)]
    tracking_uri: Annotated[str, Field(min_length=1)]
    experiment: Annotated[str, Field(min_length=1)]


Headline = Literal["valence_ccc", "arousal_ccc", "valence_ccc_stride", "arousal_ccc_stride", "pair_accuracy"]


class BarSettings(Section):
    """What one metric of a challenger must reach: a floor, and the champion's value plus a margin."""

    floor: float
    margin: float


class PromoteSettings(Section):
    """`mtclar promote`: the gate between challenger and champion, by metric."""

    gate: Annotated[dict[Headline, BarSettings], Field(min_length=1)]


class ExtractSettings(Section):
    """`mtclar extract`: how faces are found and followed, and what is kept of a video."""

    jobs: Positive
    workers: Annotated[int, Field(ge=0)]
    batch: Positive
    detect_every: Positive
    lost_after_s: Annotated[float, Field(ge=0)]
    steady_s: Annotated[float, Field(ge=0)]
    identity: bool
    fps: Annotated[float, Field(gt=0)]
    cache_gb: Annotated[float, Field(ge=0)]


def _subject(rule: str) -> str:
    """Checks the name of a subject; whether a video has such a track is seen when it is labelled."""
    if not re.fullmatch(r"auto|largest|central|all|track \d+", rule):
        raise ValueError("it is one of auto, largest, central, all and 'track N'")
    return rule


class LabelSettings(Section):
    """`mtclar label`: how anchors are turned into labels."""

    subject: Annotated[str, AfterValidator(_subject)]
    bridge_s: Annotated[float, Field(ge=0)]
    low_quality: Annotated[float, Field(ge=0, le=1)]
    thumbnails: Positive


class CheckSettings(Section):
    """`mtclar check`: how closely a video is looked at before it is worked on."""

    frames: Positive
    timed_frames: Positive


class NormaliseSettings(Section):
    """`mtclar normalise`: how copies are encoded."""

    crf: Annotated[int, Field(ge=0, le=51)]


Quantity = Annotated[str, Field(pattern=r"^\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$", coerce_numbers_to_str=True)]


class TaskSettings(Section):
    """What one task of a pipeline gets on a cluster; requests and limits alike."""

    cpu: Quantity
    memory: Quantity
    hours: Annotated[float, Field(gt=0)]


class PipelineSettings(Section):
    """`mtclar pipeline`: what a run on a cluster is given."""

    gpus: Annotated[int, Field(ge=0)]
    shards: Positive
    retries: Annotated[int, Field(ge=0)]
    workspace: Quantity
    shared_memory: Quantity
    tasks: dict[str, TaskSettings]


class Settings(Section):
    """All of params.yaml."""

    sample: SampleSettings
    synthesize: SynthesizeSettings
    crop: CropSettings
    split: SplitSettings
    validate_: ValidateSettings = Field(alias="validate")
    pair: PairSettings
    train: TrainSettings
    evaluate: EvaluateSettings
    export: ExportSettings
    adopt: AdoptSettings
    register_: RegisterSettings = Field(alias="register")
    promote: PromoteSettings
    extract: ExtractSettings
    label: LabelSettings
    check: CheckSettings
    normalise: NormaliseSettings
    pipeline: PipelineSettings


SECTIONS: dict[str, type[Section]] = {
    field.alias or name: field.annotation  # type: ignore[misc]
    for name, field in Settings.model_fields.items()
}


def default_params() -> Path:
    """Returns params.yaml of the working folder or, where there is none, the one mtclar was installed with."""
    here = Path("params.yaml")
    return here if here.is_file() else packaged_params()


def packaged_params() -> Path:
    """Returns the params.yaml that mtclar was installed with."""
    package = Path(__file__).parent
    packed = package / "params.yaml"
    return packed if packed.is_file() else package.parent / "params.yaml"


def recipe(name: str) -> Path:
    """A file of recipes/, beside the package or inside it where mtclar is installed."""
    package = Path(__file__).parent
    packed = package / "recipes" / f"{name}.yaml"
    return packed if packed.is_file() else package.parent / "recipes" / f"{name}.yaml"


def read_params(path: Path | None = None, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Reads params.yaml as plain dictionaries, with `section.key=value` overrides put in.

    A file may begin with `base: OTHER.yaml`, a path seen from where the file lies: the other file, which may have a
    base itself, then gives every key that this one does not. A key is replaced as a whole, a list or mapping too.

    Raises:
        MtclarError: A file is missing, is not YAML or stands on itself, or an override does not have that form.
    """
    path = path or default_params()
    params = _with_base(path, ())
    for override in overrides:
        name, equals, value = override.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot and key):
            raise MtclarError(f"--set {override}: expected section.key=value, for example train.epochs=3.")
        if section not in SECTIONS:
            raise MtclarError(f"--set {override}: unknown section '{section}'{nearest(section, SECTIONS)}.")
        if not isinstance(params.setdefault(section, {}), dict):
            raise MtclarError(f"{path}: '{section}' is {params[section]!r}, but a section has 'key: value' lines.")
        *parents, last = key.split(".")
        place = params[section]
        for parent in parents:
            place = place.get(parent)
            if not isinstance(place, dict):
                raise MtclarError(f"--set {override}: '{section}.{parent}' has no keys of its own.")
        try:
            place[last] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise MtclarError(f"--set {override}: '{value}' is not a YAML value.") from error
    return params


def _with_base(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    """A params file over its base; `above` are the files that stand on it."""
    try:
        params = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        fix = f"mend 'base' in {above[-1]}" if above else "give one with --params"
        raise MtclarError(f"{path}: the params file cannot be read ({error}); {fix}.") from error
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise MtclarError(f"{path}: not valid YAML ({reason}).") from error
    if not isinstance(params, dict):
        raise MtclarError(f"{path}: expected sections such as 'crop:' and 'train:', got {type(params).__name__}.")
    if "base" not in params:
        return params
    base, above = params.pop("base"), (*above, path)
    if not isinstance(base, str):
        raise MtclarError(f"{path}: 'base' is {base!r}, but must be the path of a params file, seen from this one.")
    below = path.parent / base
    if any(below.exists() and below.samefile(file) for file in above):
        raise MtclarError(f"{path}: its base is {below}, which stands on this file itself; name params.yaml.")
    whole = _with_base(below, above)
    for section, values in params.items():
        old = whole.get(section)
        whole[section] = {**old, **values} if isinstance(old, dict) and isinstance(values, dict) else values
    return whole


def load_settings(path: Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """Reads and checks all of params.yaml.

    Raises:
        MtclarError: Says which key is unknown, missing or out of range, with the nearest known name.
    """
    where = str(path or default_params()) + (" and the options given" if overrides else "")
    return parse(Settings, read_params(path, overrides), where=where)


def load_section(name: str, values: Mapping[str, Any]) -> Any:
    """Checks one section given as a dictionary, as a Kubeflow component gets it."""
    return parse(SECTIONS[name], values, where=f"section '{name}'")


S = TypeVar("S", bound=Section)


def parse(model: type[S], values: Mapping[str, Any], *, where: str) -> S:
    """Builds `model` from `values`; turns pydantic's findings into one sentence."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise MtclarError(f"{where}: " + "; ".join(_sentence(model, item) for item in error.errors()) + ".") from None


def _owner(model: type[Section], location: Sequence[str]) -> type[Section]:
    """The section that should have the last key of a location, somewhere below `model`."""
    kind: Any = model
    for part in location[:-1]:
        if isinstance(kind, type) and issubclass(kind, Section):
            fields = kind.model_fields.items()
            kind = next(field.annotation for name, field in fields if (field.alias or name) == part)
        else:  # a mapping, whose values are all of one kind
            kind = get_args(kind)[-1]
    return kind


def _sentence(model: type[Section], item: Mapping[str, Any]) -> str:
    """One finding of pydantic in words a user can act on."""
    location = [str(part) for part in item["loc"]]
    name = ".".join(location)
    if item["type"] == "extra_forbidden":
        known = [field.alias or key for key, field in _owner(model, location).model_fields.items()]
        return f"unknown key '{name}'{nearest(location[-1], known)}"
    if item["type"] == "missing":
        return f"'{name}' is missing"
    said = item["msg"].removeprefix("Value error, ")
    return f"'{name}' is {item['input']!r}, but {said[0].lower()}{said[1:]}"
