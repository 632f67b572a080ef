"""The static models of a training: the optimizer, the learning rate, how long."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from paredown.spec.base import Frozen
from paredown.spec.networks import BackendName

Share = Annotated[float, Field(gt=0, lt=1)]
"""A share strictly between nothing and all."""

Width = Annotated[float, Field(gt=0)]
"""A factor of a network's channels."""


class SgdConfig(Frozen):
    """Stochastic gradient descent: v = momentum * v + (g + weight_decay * w); w = w - lr * v."""

    kind: Literal["sgd"] = "sgd"
    lr: Annotated[float, Field(gt=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False
    weight_decay: Annotated[float, Field(ge=0)] = 0.0


class AdamWConfig(Frozen):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    kind: Literal["adamw"] = "adamw"
    lr: Annotated[float, Field(gt=0)]
    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: Annotated[float, Field(gt=0)] = 1e-8
    weight_decay: Annotated[float, Field(ge=0)] = 0.01


OptimizerConfig = Annotated[SgdConfig | AdamWConfig, Field(discriminator="kind")]


class ConstantSchedule(Frozen):
    """The learning rate stays what it is."""

    kind: Literal["constant"] = "constant"


class CosineSchedule(Frozen):
    """From the learning rate down to `final` times it along half a cosine, after a linear warm-up (in epochs)."""

    kind: Literal["cosine"] = "cosine"
    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0
    final: Annotated[float, Field(ge=0, lt=1)] = 0.0


class StepSchedule(Frozen):
    """The learning rate is multiplied by `gamma` at each of the epochs in `milestones`."""

    kind: Literal["step"] = "step"
    milestones: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    gamma: Share = 0.1


ScheduleConfig = Annotated[ConstantSchedule | CosineSchedule | StepSchedule, Field(discriminator="kind")]


class CropConfig(Frozen):
    """A window of the image's own size at a random place in the image with `padding` pixels of margin all around.

    Margins hold the mean of the training images (Krizhevsky, 2012, has crops; He et al., 2016, section 4.2, margins).
    """

    padding: PositiveInt


class AugmentConfig(Frozen):
    """Changes of the training images, and of their labels with them, drawn anew for each image in each epoch.

    The draws depend on the seed, the epoch and the image alone, and so are the same on every backend. `flip` mirrors
    every second image on the average.
    """

    flip: Literal["horizontal"] | None = None
    crop: CropConfig | None = None


class TrainConfig(Frozen):
    """How long a training step trains, and how.

    `bn_l1` is the strength of an L1 penalty on BatchNorm scales (Liu et al., 2017, "Network Slimming"), which makes
    the criterion `bn_scale` sharper.
    """

    epochs: PositiveInt
    batch_size: PositiveInt = 64
    optimizer: OptimizerConfig
    schedule: ScheduleConfig = CosineSchedule()
    augment: AugmentConfig | None = None
    bn_l1: Annotated[float, Field(ge=0)] = 0.0


class BaselineConfig(Frozen):
    """How the uncompressed network is trained; `epochs: 0` takes the weights as they are.

    `train_on` names the one backend that trains it, for whichever backend runs; each trains its own where it is None.
    """

    epochs: Annotated[int, Field(ge=0)]
    batch_size: PositiveInt = 64
    optimizer: OptimizerConfig = SgdConfig(lr=0.1, weight_decay=5e-4)
    schedule: ScheduleConfig = CosineSchedule()
    augment: AugmentConfig | None = None
    train_on: BackendName | None = None
