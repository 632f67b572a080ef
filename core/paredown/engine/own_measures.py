"""A caller's own loss and metric, in the places of the task's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from paredown.contracts import AgreementTally, LossFunction, Outputs, Task
from paredown.engine.tallies import agreement_tally
from paredown.errors import ModelError, ParedownError

OwnLoss = Callable[[Any, Any], Any]
"""Takes the network's outputs and the labels, tensors of the framework; returns a scalar that gradients flow from."""

OwnMetric = Callable[[Outputs, Any], float]
"""Takes the network's outputs and the labels of a whole split in NumPy; returns a number, greater is better."""


def as_loss(own: OwnLoss) -> LossFunction:
    """A caller's loss with the signature of a backend's, its result checked."""

    def loss(student: Any, teacher: Any, labels: Any, options: Mapping[str, Any]) -> Any:  # noqa: ARG001 - one signature
        try:
            value = own(student, labels)
        except ParedownError:
            raise
        except Exception as error:  # the caller's code raises what it likes
            raise _failed("loss", error) from error
        shape = getattr(value, "shape", None)
        if shape is None or math.prod(shape) != 1:
            raise ModelError(
                "the loss gives no scalar",
                where="paredown.compress(loss=...)",
                value=type(value).__name__ if shape is None else f"a tensor of shape {tuple(shape)}",
                expected="one number as a tensor of the framework: the mean over the batch",
                remedy="return a mean, and no .item()",
            )
        return value.sum()  # of one number: its shape is () then, whatever it was

    return loss


@dataclass
class OwnTask:
    """A task whose metrics are the caller's; bounds refer to the one that `primary` names."""

    named: Mapping[str, OwnMetric]
    primary: str
    spec_task: Task

    def metrics(self, outputs: Outputs, labels: Any) -> dict[str, float]:
        """The caller's metrics.

        Raises:
            ModelError: One fails, or gives no finite number.
        """
        return {name: _number(name, metric, outputs, labels) for name, metric in self.named.items()}

    def agreement(self, outputs: Outputs, reference: Outputs) -> float | None:
        """The share of predictions that are the same, as the spec's task counts them."""
        return self.spec_task.agreement(outputs, reference)

    def agreement_tally(self) -> AgreementTally:
        """The same, batch by batch; the caller's metrics read a whole split."""
        return agreement_tally(self.spec_task)


def own_task(metric: OwnMetric | Mapping[str, OwnMetric], spec_task: Task) -> OwnTask:
    """The task of one metric, named as its function is, or of several by name; predictions are the spec's task's.

    Raises:
        ModelError: It is no function, or there is none.
    """
    named = metric if isinstance(metric, Mapping) else {getattr(metric, "__name__", "metric"): metric}
    wrong = [name for name, one in named.items() if not callable(one) or not isinstance(name, str)]
    if wrong or not named:
        raise ModelError(
            "the metric is no function",
            where="paredown.compress(metric=...)",
            value=repr(metric)[:80],
            expected="a function of outputs and labels that returns a number, or functions by name",
            remedy="give the function itself, not its result",
        )
    return OwnTask(dict(named), next(iter(named)), spec_task)


def _number(name: str, metric: OwnMetric, outputs: Outputs, labels: Any) -> float:
    try:
        value = float(metric(outputs, labels))
    except Exception as error:  # the caller's code raises what it likes
        raise _failed(f"metric `{name}`", error) from error
    if not math.isfinite(value):
        raise ModelError(
            f"the metric `{name}` is {value}",
            where="paredown.compress(metric=...)",
            value=str(value),
            expected="a finite number, greater is better",
            remedy="look for a division by nothing in the metric",
        )
    return value


def _failed(what: str, error: Exception) -> ModelError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ModelError(
        f"the {what} failed: {reason}",
        where=f"paredown.compress({what.partition(' ')[0]}=...)",
        value=type(error).__name__,
        expected="a function of outputs and labels",
        remedy="call it by hand with one batch, and mend it",
    )
