"""One backend, one seed, one spec: everything that the steps share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from paredown.algorithms import batches, masks
from paredown.algorithms.labels import need_equal_outputs
from paredown.algorithms.outputs import Shapes, fault, on_first, shapes
from paredown.algorithms.surgery import cut_state
from paredown.contracts import (
    Batch,
    DataSplits,
    FloatArray,
    Images,
    LayerInfo,
    LossFunction,
    MeasureRequest,
    Model,
    ModelSource,
    Outcome,
    Outputs,
    RunContext,
    Runtime,
    Split,
    State,
    Task,
)
from paredown.engine.data import load_data
from paredown.engine.sources import source_of
from paredown.engine.tallies import metrics_of
from paredown.engine.tasks import for_images, loss_for_images
from paredown.engine.trust import Trust
from paredown.errors import BackendFailed, HookFailed, ModelError
from paredown.manager import Manager
from paredown.plan import MaskPlan, PrunePlan
from paredown.spec.models import AugmentConfig, Spec

Report = Callable[..., None]
"""Takes the name of an event (`stage`, `epoch`, `note`) and its fields."""


def _silent(event: str, **fields: Any) -> None:
    """Nobody listens."""


@dataclass
class Workbench:
    """Holds the manager, the spec and what was resolved from it; hands the chosen backend's hooks their arguments."""

    manager: Manager
    backend: str
    spec: Spec
    context: RunContext
    report: Report = field(default=_silent)
    trust: Trust = field(default=Trust())

    @cached_property
    def data(self) -> DataSplits:
        """The dataset, loaded once."""
        return load_data(self.manager, self.spec, self.context.base_dir)

    @cached_property
    def task(self) -> Task:
        """The task, which knows the metrics."""
        task: Task = self.manager.registry.implementation("task", self.spec.task.kind)(self.spec.task)
        return for_images(task, self.data.input_shape)

    @property
    def label_loss(self) -> str:
        """The name of the loss on the labels that the task is learned by."""
        return self.manager.registry.label_loss(self.spec.task.kind)

    @cached_property
    def runtime(self) -> Runtime:
        """What runs the deployed files."""
        options = self.spec.deploy.runtime
        runtime: Runtime = self.manager.registry.implementation("runtime", options.kind)(options)
        return runtime

    @cached_property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width), checked against the data."""
        source = self.source
        shape = (source.in_channels, *source.input_size)
        channels, height, width = self.data.input_shape
        if shape != (channels, height, width):
            raise ModelError(
                "the network's input is not what the data gives",
                where="model.in_channels, model.input_size",
                value=f"{shape}",
                expected=f"{self.data.input_shape} (channels, height, width)",
                remedy=f"write `in_channels: {channels}, input_size: [{height}, {width}]`",
            )
        classes, exact = self.data.num_classes, need_equal_outputs(self.data.train[1])
        if source.num_classes < classes or (exact and source.num_classes != classes):
            few = source.num_classes < classes
            raise ModelError(
                f"the network has {'fewer' if few else 'more'} outputs than the data has classes",
                where="model.num_classes",
                value=str(source.num_classes),
                expected=f"{classes}, a column of the labels for each" if exact else f"at least {classes}",
                remedy=f"write `num_classes: {classes}`",
            )
        return shape

    def require_fit(self) -> None:
        """Checks that network and data fit each other, before hours of training find out.

        Raises:
            ModelError: The input's shape or the number of classes is another.
        """
        self.input_shape  # noqa: B018 - reading it is the check

    @cached_property
    def source(self) -> ModelSource:
        """The network that the spec names."""
        model = self.spec.model
        if model is None:
            raise ModelError(
                "the spec names no network", where="model", remedy="add `model: {kind: zoo, name: resnet20}`"
            )
        return source_of(model, self.manager.backend(self.backend), self.trust)

    def split(self, name: Split) -> tuple[Images, Any]:
        """Images and labels of a split."""
        pair: tuple[Images, Any] = getattr(self.data, name)
        return pair

    @property
    def repeatable(self) -> bool:
        """Whether the training images and their order follow from the spec, so that what they gave may be kept."""
        return True

    def epochs(
        self,
        batch_size: int,
        seed: int,
        soft_labels: FloatArray | None = None,
        augment: AugmentConfig | None = None,
    ) -> tuple[int, Callable[[int], Iterator[Batch]]]:
        """How many batches an epoch has, and the batches of each epoch.

        Args:
            batch_size: Images a batch.
            seed: Of the order.
            soft_labels: A teacher's outputs for all training images in their own order; each batch then holds its own.
            augment: How images and labels are changed, where they are.
        """
        data = self.split("train")

        def epoch(index: int) -> Iterator[Batch]:
            return batches.epoch_batches(data, batch_size, seed, index, soft_labels=soft_labels, augment=augment)

        return batches.batch_count(len(data[1]), batch_size), epoch

    def build(
        self, plans: tuple[PrunePlan, ...] = (), state: State | None = None, source: ModelSource | None = None
    ) -> Model:
        """The base network, or that of `source`, cut by the plans in order, holding the given arrays."""
        model = self.manager.load_model(self.backend, source or self.source, self.context)
        for plan in plans:
            model = self.cut(model, plan).model
        return model if state is None else self.manager.restore(self.backend, model, state)

    def cut(self, model: Model, plan: PrunePlan) -> Outcome:
        """Lets the backend cut a plan's channels, and holds what it left against core's own slicing of the arrays.

        Raises:
            PlanError: The plan does not fit the network.
            BackendFailed: An array is not what the plan says.
        """
        expected = cut_state(self.state(model), plan.cuts)
        zeros = np.zeros((2, *plan.input_shape), np.float32)
        expected_shapes = shapes(self.manager.evaluate(self.backend, model, zeros))
        outcome = self.manager.prune(self.backend, model, plan)
        self._require_equal(self.state(outcome.model), expected, "every array cut at the plan's indices")
        self._require_running(outcome.model, zeros, expected_shapes)
        return outcome

    def mask(self, model: Model, plan: MaskPlan) -> Outcome:
        """Lets the backend multiply a plan's masks into the weights, and holds the result against core's own.

        Raises:
            PlanError: The plan does not fit the network.
            BackendFailed: An array is not what the plan says.
        """
        expected = masks.apply(self.state(model), {one.parameter: masks.unpack(one) for one in plan.masks})
        outcome = self.manager.prune(self.backend, model, plan)
        self._require_equal(self.state(outcome.model), expected, "every weight multiplied by its mask")
        return outcome

    def _require_equal(self, found: State, expected: State, rule: str) -> None:
        wrong = [name for name in expected if name not in found or not np.array_equal(found[name], expected[name])]
        unknown = sorted(set(found) - set(expected))
        if wrong or unknown:
            raise BackendFailed(
                "the backend's surgery is not what the plan says",
                where=f"backend {self.backend}, {(wrong or unknown)[0]}",
                value=f"{len(wrong)} arrays differ, {len(unknown)} are new",
                expected=f"{rule}, and no other change",
                remedy="report this network to the backend's authors",
            )

    def _require_running(self, model: Model, zeros: FloatArray, expected: Shapes) -> None:
        """Refuses a cut that left a layer with channels that another does not give: the groups were found in part."""
        try:
            found = shapes(self.manager.evaluate(self.backend, model, zeros))
        except HookFailed as error:
            raise BackendFailed(
                f"the network does not run after the cut: {error.__cause__}",
                where=f"backend {self.backend}, prune",
                expected="coupled channels, each cut everywhere",
                remedy="leave the pruning step out, and report this network to the backend's authors",
            ) from error
        if found != expected:
            raise BackendFailed(
                "the cut removed outputs of the network",
                where=f"backend {self.backend}, prune",
                value=", ".join(map(str, found)),
                expected=", ".join(map(str, expected)),
                remedy="leave the pruning step out, and report this network: its output layer was not recognised",
            )

    def loss(self, kind: str) -> LossFunction:
        """The backend's implementation of a loss.

        One that reads `outputs` is given the first of several, one that reads `labels` or is guided by a teacher's
        outputs the size of the images.
        """
        registry = self.manager.registry
        implementation: LossFunction = registry.implementation("distill_loss", kind, backend=self.backend)
        reads = registry.components["distill_loss", kind].reads
        if reads == "labels" or self.is_guided(kind):
            return loss_for_images(implementation, self.input_shape)
        return on_first(implementation) if reads == "outputs" else implementation

    def is_guided(self, kind: str) -> bool:
        """Whether a loss on features is given the teacher's outputs besides."""
        return bool(self.manager.registry.components["distill_loss", kind].guided_by)

    def state(self, model: Model) -> State:
        """The network's arrays under neutral names."""
        return self.manager.save(self.backend, model)

    def layers(self, model: Model) -> tuple[LayerInfo, ...]:
        """The network's layers in order of execution."""
        return self.manager.measure(self.backend, model, MeasureRequest("layers", self.input_shape)).layers

    def taps(self, model: Model) -> Mapping[str, tuple[int, ...]]:
        """The shapes of what the network's layers and blocks give, by name, without the batch axis."""
        return self.manager.measure(self.backend, model, MeasureRequest("taps", self.input_shape)).taps

    def answers(self, model: Model, split: Split) -> Iterator[Outputs]:
        """What the network answers to the images of a split, batch by batch in their order.

        Raises:
            ModelError: It answers with NaN or infinity.
        """
        images, _ = self.split(split)
        for batch in batches.in_order(images, batches.evaluation_batch(images)):
            outputs = self.manager.evaluate(self.backend, model, batch)
            if (found := fault(outputs)) is not None:
                raise ModelError(
                    "the network answers with numbers that are none",
                    where=f"backend {self.backend}, the {split} split",
                    value=found,
                    expected="finite outputs",
                    remedy="train with a lower learning rate, or start from other weights",
                )
            yield outputs

    def metrics(self, model: Model, split: Split) -> dict[str, float]:
        """The task's metrics of the network in the framework."""
        return metrics_of(self.task, self.answers(model, split), self.split(split)[1])
