"""The options of the losses that core itself supplies, for training on labels and under a teacher."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from paredown.spec.base import ComponentConfig, Frozen

LossWeight = Annotated[float, Field(ge=0)]
"""The factor that a term enters the training loss with."""

Temperature = Annotated[float, Field(gt=0)]
"""What values are divided by before a softmax: the higher, the more even the probabilities."""

Factor = Annotated[float, Field(ge=0)]
"""The factor of one part of a loss."""

LayerName = Annotated[str, Field(min_length=1)]
"""The neutral name of a layer, such as `layer3`."""


HARD_LABEL = "hard_label"
"""The kind that means the task's own loss on the labels, whichever that is."""


class LossSchedule(Frozen):
    """Changes a loss's weight while the network trains: the weight times a factor that goes from `start` to `end`.

    It goes in a straight line or along half a cosine, over the whole training, or from epoch `begin` to epoch `finish`.
    """

    kind: Literal["linear", "cosine"]
    start: Factor
    end: Factor
    begin: Annotated[float, Field(ge=0)] | None = None
    finish: Annotated[float, Field(ge=0)] | None = None


class TapPair(Frozen):
    """A layer of the student and the layer of the teacher that its output is compared with: by default its namesake."""

    student: LayerName
    teacher: LayerName | None = None


class LossConfig(ComponentConfig):
    """What the options of every loss of ours have."""

    weight: LossWeight = 1.0
    schedule: LossSchedule | None = None


class FeatureLossConfig(LossConfig):
    """What the options of a loss on the outputs of inner layers have besides."""

    taps: Annotated[tuple[TapPair, ...], Field(min_length=1)]


class HardLabelLoss(LossConfig):
    """The task's own loss on the labels, for one class an image the cross entropy; it does not read the teacher."""

    kind: Literal["hard_label"] = "hard_label"


class PixelCrossEntropyLoss(LossConfig):
    """Cross entropy with the labels of pixels, those of label 255 left out; what `hard_label` is for segmentation."""

    kind: Literal["pixel_cross_entropy"] = "pixel_cross_entropy"


class BinaryCrossEntropyLoss(LossConfig):
    """Cross entropy of each class on its own; what `hard_label` is for several classes an image."""

    kind: Literal["binary_cross_entropy"] = "binary_cross_entropy"


class DetectionLoss(LossConfig):
    """Classes and boxes, by the detector's head as in FCOS or as in SSD; what `hard_label` is for detection."""

    kind: Literal["detection"] = "detection"


class FcosMaskLoss(LossConfig):
    """That of FCOS, and cross entropy of masks within their boxes; what `hard_label` is for instance segmentation."""

    kind: Literal["fcos_mask"] = "fcos_mask"


class KlLoss(LossConfig):
    """KL divergence from the teacher's to the student's softened outputs, times T squared (Hinton et al., 2015)."""

    kind: Literal["kl"] = "kl"
    temperature: Temperature = 4.0


class MseLoss(LossConfig):
    """Mean squared difference of logits.

    Ba and Caruana, 2014, "Do Deep Nets Really Need to be Deep?".
    """

    kind: Literal["mse"] = "mse"


class SoftCrossEntropyLoss(LossConfig):
    """Cross entropy of the student's softened outputs with the teacher's, times T squared (Hinton et al., 2015).

    It is `kl` and the entropy of the teacher's outputs: its gradient is that of `kl`, its value does not fall to 0.
    """

    kind: Literal["soft_cross_entropy"] = "soft_cross_entropy"
    temperature: Temperature = 4.0


class DkdLoss(LossConfig):
    """Decoupled soft labels: T squared times (alpha * TCKD + beta * NCKD).

    TCKD is the KL divergence between the probabilities of the labelled class and of all others together, NCKD that
    among the others (Zhao et al., 2022, "Decoupled Knowledge Distillation").
    """

    kind: Literal["dkd"] = "dkd"
    alpha: Factor = 1.0
    beta: Factor = 8.0
    temperature: Temperature = 4.0


class DistLoss(LossConfig):
    """T squared times (beta * inter + gamma * intra): 1 minus Pearson's correlation of softened outputs.

    `inter` is over the classes of each image, `intra` over the images of each class; a batch of one has no `intra`
    (Huang et al., 2022, "Knowledge Distillation from A Stronger Teacher").
    """

    kind: Literal["dist"] = "dist"
    beta: Factor = 2.0
    gamma: Factor = 2.0
    temperature: Temperature = 1.0


class FeatureL2Loss(FeatureLossConfig):
    """Mean squared difference of maps (Romero et al., 2015, "FitNets: Hints for Thin Deep Nets").

    With `projection`, a trained 1x1 convolution takes the student's channels to the teacher's where they differ.
    """

    kind: Literal["feature_l2"] = "feature_l2"
    projection: bool = True


class AttentionLoss(FeatureLossConfig):
    """Squared distance of attention maps: sums of squares over the channels, of length 1 over the positions.

    Zagoruyko and Komodakis, 2017, "Paying More Attention to Attention". Channels may differ.
    """

    kind: Literal["attention"] = "attention"


class FspLoss(FeatureLossConfig):
    """Mean squared difference of flows: the products of the channels of one tap with those of the next, over positions.

    Yim et al., 2017, "A Gift from Knowledge Distillation". Student and teacher need equal channels.
    """

    kind: Literal["fsp"] = "fsp"
    taps: Annotated[tuple[TapPair, ...], Field(min_length=2)]


class SimilarityLoss(FeatureLossConfig):
    """Mean squared difference of how alike the images of a batch are: inner products of maps, rows of length 1.

    Tung and Mori, 2019, "Similarity-Preserving Knowledge Distillation". Maps may differ in every size.
    """

    kind: Literal["similarity"] = "similarity"


class RkdLoss(FeatureLossConfig):
    """Huber loss of the distances between images and of the angles between three, relative to the batch.

    `distance` and `angle` are the factors of the two (Park et al., 2019, "Relational Knowledge Distillation"). Maps may
    differ in every size. A batch of one has no distances, a batch of two no angles.
    """

    kind: Literal["rkd"] = "rkd"
    distance: Factor = 1.0
    angle: Factor = 2.0


class BoxImitationLoss(FeatureLossConfig):
    """Mean squared difference of maps, each position weighed by how surely the teacher detects something there.

    `background` is the weight of positions without a detection; detections of the teacher below `least_score` do not
    count (after Wang et al., 2019, "Distilling Object Detectors with Fine-grained Feature Imitation"). With
    `projection`, a trained 1x1 convolution takes the student's channels to the teacher's where they differ.
    """

    kind: Literal["box_imitation"] = "box_imitation"
    least_score: Annotated[float, Field(ge=0, lt=1)] = 0.3
    background: Annotated[float, Field(ge=0, le=1)] = 0.1
    projection: bool = True


class CwdLoss(FeatureLossConfig):
    """T squared times the KL divergence between where channels are active: a softmax over the positions of each.

    Shu et al., 2021, "Channel-wise Knowledge Distillation for Dense Prediction". With `projection`, a trained 1x1
    convolution takes the student's channels to the teacher's where they differ.
    """

    kind: Literal["cwd"] = "cwd"
    temperature: Temperature = 4.0
    projection: bool = True
