"""What a plugin announces: components, kinds of step, backends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from paredown.spec.base import Frozen
from paredown.spec.widths import Widths


@dataclass(frozen=True, slots=True)
class Component:
    """One named choice for a slot of the spec.

    `slot` is the kind of component (`criterion`, `observer`, `correction`, `distill_loss`, `data`, `task`, `runtime`),
    `config` the pydantic model of its options, narrowed on `kind`. `implementation` is `module:attribute`, imported
    when it is first used. A backend that implements a component that somebody else declares gives `backend` and leaves
    `config` None.

    `granularities`, `weights` and `needs` are for criteria. `granularities` are those that it fits; `implementation`
    scores channels (a `Criterion`), `weights` single weights (a `WeightCriterion`), and where `channel` is not among
    the granularities `implementation` is the `WeightCriterion`. `needs` names what has to be measured: `gradients`,
    `activations`; the options then have the whole numbers `samples` (how many training images are measured) and
    `batch_size`.

    `reads` says what a loss is given. `outputs`: the output of student and teacher, of several the first, the logits.
    `labels`: all that the student returned and the labels; core puts `image_size` (height, width) among its options.
    `features`: of both networks a sequence of maps, of the layers that the option `taps` names. `guided_by` is for a
    loss on features that looks where the teacher's own outputs say: the `outputs` of the tasks (below) that it reads.
    In place of the teacher's maps it is given a pair of these and all that the teacher returned, and `image_size` as
    above; under other tasks it is refused.

    `loss`, `outputs` and `output_losses` are for tasks. `loss` is the loss on the labels that networks are trained with
    for it, a `distill_loss` that reads labels; a spec's `hard_label` means it. `outputs` is what its networks return:
    `classes` (logits, [batch, classes]), `pixels` (logits, [batch, classes, height, width]), or a word of the plugin's
    own. `output_losses` are the losses that fit when they compare these outputs with a teacher's; None for all.

    `distributions` are the packages that it needs and that come with no other part, `install` the exact command that
    installs them.
    """

    slot: str
    name: str
    implementation: str
    config: type[Frozen] | None = None
    backend: str | None = None
    granularities: tuple[Literal["channel", "weight", "n_m"], ...] = ("channel",)
    weights: str | None = None
    needs: tuple[Literal["gradients", "activations"], ...] = ()
    reads: Literal["outputs", "labels", "features"] = "outputs"
    guided_by: tuple[str, ...] = ()
    loss: str = "hard_label"
    outputs: str = "classes"
    output_losses: tuple[str, ...] | None = None
    distributions: tuple[str, ...] = ()
    install: str = ""


@dataclass(frozen=True, slots=True)
class StepKind:
    """A kind of step: its name and the model of its fields. Kinds that core does not own run through `apply_step`."""

    name: str
    config: type[Frozen]


@dataclass(frozen=True, slots=True)
class RefusedNetwork:
    """A network that a framework has under this name and that its backend does not build: why, and what to do."""

    why: str
    remedy: str


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """A backend, without importing its framework.

    `distributions` are the packages that it needs, `install` the exact command that installs them, `models` the names
    of the zoo that it can build, `base_class` the module and the name of the class that its networks are instances of,
    `formats` what it can export besides ONNX, `widths` the networks of the zoo that it builds at other widths than 1,
    with those that each takes, `amp` the devices on which it trains in mixed precision. `libraries` are the
    further kinds of `model` whose networks it builds, such as `timm`, each with the packages that it needs for that.
    `reads` are the endings of the files of weights that it reads, such as `.pth`. `outputs` is what the
    networks return that return no `classes` (see `Component`). `refused` are networks that users of the framework know
    by these names and that the backend cannot build, so that a spec that names one is told why.
    """

    name: str
    title: str
    distributions: tuple[str, ...]
    install: str
    models: tuple[str, ...]
    base_class: tuple[str, str]
    formats: tuple[str, ...] = ()
    widths: Mapping[str, Widths] = field(default_factory=dict)
    amp: tuple[Literal["cpu", "gpu"], ...] = ()
    libraries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reads: tuple[str, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, RefusedNetwork] = field(default_factory=dict)
