"""The options of the components that core itself supplies."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from paredown.spec.base import ComponentConfig

LossWeight = Annotated[float, Field(ge=0)]
"""The factor that a term enters the training loss with."""


class L1Criterion(ComponentConfig):
    """Scores a channel by the mean over its members of the L1 norm of the member's slice (Li et al., 2017)."""

    kind: Literal["l1"] = "l1"


class L2Criterion(ComponentConfig):
    """Scores a channel by the mean over its members of the squared L2 norm of the member's slice."""

    kind: Literal["l2"] = "l2"


class MinMaxObserver(ComponentConfig):
    """Takes the smallest and the largest value seen as the range."""

    kind: Literal["minmax"] = "minmax"


class HardLabelLoss(ComponentConfig):
    """Cross entropy between the student's outputs and the labels; it does not read the teacher."""

    kind: Literal["hard_label"] = "hard_label"
    weight: LossWeight = 1.0


class KlLoss(ComponentConfig):
    """KL divergence from the teacher's to the student's softened outputs, times T squared (Hinton et al., 2015)."""

    kind: Literal["kl"] = "kl"
    temperature: Annotated[float, Field(gt=0)] = 4.0
    weight: LossWeight = 1.0
