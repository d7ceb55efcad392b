"""The shapes of the facts. Their schema is in the server's OpenAPI document, from which the page's types are made."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

Num = float | Literal["NaN", "Infinity", "-Infinity"]


class SaidFact(TypedDict):
    """Words in the languages of the page."""

    en: str
    th: str


class StepOfTraining(TypedDict):
    """A moment of a training: models of the same ``timeline`` are one network with the weights that it had then.

    ``pictures``: those that it is to be tried on and others aren't; empty where any will do.
    """

    timeline: str
    number: int
    label: str
    loss: Num | None
    accuracy: Num | None
    pictures: list[str]


class ModelFact(TypedDict):
    """An opened model. As a step of a walk it has a ``title``, and ``says`` what changes from the model before it.

    ``step``: which moment of a training it is, where it is one.
    """

    id: str
    name: str
    engine: str
    title: SaidFact | None
    says: SaidFact | None
    step: StepOfTraining | None


class RecipeFact(TypedDict):
    """How a picture becomes the input; see ``convlens.Recipe``."""

    resize: str
    size: list[int] | None
    crop: float
    interpolation: str
    channels: str
    scale: float
    mean: list[float]
    std: list[float]
    notes: list[str]


class FieldFact(TypedDict):
    """A receptive field before clipping: pixel ``start + index * stride`` to ``end + index * stride``."""

    size: list[int]
    stride: list[float]
    start: list[float]
    end: list[float]
    whole: bool
    exact: bool


class LayerFact(TypedDict):
    """One layer; ``output_shape`` is channels first, without the batch axis."""

    name: str
    op: str
    kind: str
    scope: list[str]
    inputs: list[str]
    output_shape: list[int]
    parameters: int
    macs: int
    dtype: str
    shares: str | None
    notes: list[str]
    has_kernels: bool
    receptive_field: FieldFact | None


class InputFact(TypedDict):
    """One input of the network; a size that is free is null."""

    name: str
    shape: list[int | None]
    dtype: str


class NetworkFact(TypedDict):
    """The model as data, its layers in execution order."""

    model: ModelFact
    inputs: list[InputFact]
    outputs: list[str]
    layers: list[LayerFact]
    parameters: int
    macs: int
    notes: list[str]
    recipe: RecipeFact
    recipe_source: str


class PictureFact(TypedDict):
    """A picture that can be shown to the network."""

    id: str
    name: str
    rows: int
    columns: int
    channels: int
    sample: bool
    credit: str | None
    notes: list[str]


class LimitsFact(TypedDict):
    """What may be sent."""

    upload_bytes: int
    upload_pixels: int
    upload_model: bool


class SessionFact(TypedDict):
    """What there is; ``model`` and ``picture`` are what to open first.

    ``reductions``: where one file holds all this, what had to be reduced for it, in words; null where none does.
    """

    version: str
    models: list[ModelFact]
    pictures: list[PictureFact]
    presets: dict[str, RecipeFact]
    limits: LimitsFact
    model: str
    picture: str | None
    reductions: list[str] | None


class MapFact(TypedDict):
    """One layer's maps, as they arrived: channels x slices x rows x columns, 1 for what the layer has no axis for.

    ``levels``: how many levels of detail there are; ``strongest``: the channel of the largest mean magnitude.
    """

    layer: str
    shape: list[int]
    channels: int
    slices: int
    rows: int
    columns: int
    levels: int
    minimum: float | None
    maximum: float | None
    mean: float | None
    deviation: float | None
    zeros: float
    nan: int
    infinite: int
    constant: bool
    strongest: int


class ScoreFact(TypedDict):
    """One class of the network's answer."""

    index: int
    probability: Num
    label: str | None


class PredictionFact(TypedDict):
    """The network's answer, its five most probable classes."""

    layer: str
    softmax: bool
    top: list[ScoreFact]


class ProblemFact(TypedDict):
    """An error in the words that a person needs."""

    problem: str
    expected: str
    received: str
    hint: str


class RunFact(TypedDict):
    """One forward pass; ``rows`` and ``columns`` are the picture's as the network reads it."""

    id: str
    model: str
    picture: str
    recipe: RecipeFact | None
    recipe_source: str | None
    caption: str
    rows: int
    columns: int
    state: Literal["running", "done", "failed", "cancelled"]
    done: int
    total: int
    maps: list[MapFact]
    prediction: PredictionFact | None
    problem: ProblemFact | None


class HistogramFact(TypedDict):
    """``counts`` has one entry less than ``edges``."""

    edges: list[float]
    counts: list[int]


class ChannelsFact(TypedDict):
    """Every channel of a layer, column by column, of its finite values; null where there is none."""

    layer: str
    minimum: list[float | None]
    maximum: list[float | None]
    mean: list[float | None]
    variance: list[float | None]
    zeros: list[float]
    nan: list[int]
    infinite: list[int]
    constant: list[bool]
    histogram: HistogramFact


class KernelsFact(TypedDict):
    """The kernels of one layer: ``shape`` is filters, channels per group, then the kernel's own axes."""

    layer: str
    shape: list[int]
    groups: int
    transposed: bool
    reads_colour: bool
    minimum: float
    maximum: float
    bias: list[float] | None
    norms: list[float]


class GroupFact(TypedDict):
    """The window over one input channel; ``origins`` are where its values stand in ``source``, null in the padding."""

    channel: int
    sum: Num | None
    window: list[Num]
    kernel: list[Num] | None
    products: list[Num] | None
    winners: list[bool] | None
    origins: list[list[int] | None]
    source: str


class TermFact(TypedDict):
    """One value that entered."""

    layer: str
    index: list[int]
    value: Num
    weight: Num | None
    contribution: Num | None


class StepFact(TypedDict):
    """One line of the arithmetic, and the value after it."""

    words: str
    value: Num


class ExplanationFact(TypedDict):
    """How one value came about; ``groups`` and ``terms`` hold the largest, largest first.

    Where a report had to reduce something, ``near`` says why the value isn't the framework's own, bit for bit
    (``means``: it stands for that many values down and across), and ``reduced`` why the explanation is approximate, or
    isn't there.
    """

    layer: str
    op: str
    kind: str
    index: list[int]
    explained: bool
    framework_value: Num
    total: Num | None
    residual: Num | None
    tolerance: Num
    agrees: bool
    verdict: str
    rule: str | None
    formula: str | None
    bias: float | None
    activation: str | None
    steps: list[StepFact]
    window_shape: list[int]
    group_shape: list[int]
    groups: list[GroupFact]
    groups_total: int
    folded_sum: Num | None
    terms: list[TermFact]
    terms_total: int
    near: NotRequired[str | None]
    means: NotRequired[int | None]
    reduced: NotRequired[str | None]


class PictureValueFact(TypedDict):
    """Where a way back ends: one value of the network's input."""

    input: str
    index: list[int]
    value: Num


class BoxFact(TypedDict):
    """(first, last) pixel an axis of the picture, both inside."""

    unclipped: list[list[int]]
    clipped: list[list[int]]
    exact: bool


class DerivationLineFact(TypedDict):
    """One number of a layer, and how it comes about."""

    what: str
    formula: str
    terms: str
    value: int
    text: str
    latex: str


class DerivationFact(TypedDict):
    """All numbers of a layer."""

    layer: str
    heading: str
    text: str
    latex: str
    lines: list[DerivationLineFact]


class EffectiveFact(TypedDict):
    """How an effective receptive field was measured; its heat travels as ``.npy``."""

    method: str
    words: str
    rows: int
    columns: int
