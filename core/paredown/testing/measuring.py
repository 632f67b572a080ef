"""What every backend must be able to say about a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from paredown.algorithms import counting
from paredown.algorithms import losses as reference
from paredown.algorithms.calls import call_name
from paredown.algorithms.outputs import first
from paredown.contracts import Activity, Axis, FloatArray, IntArray, Model, State
from paredown.manager import Manager
from paredown.testing.harness import BackendHarness, assert_equal


class MeasuringConformance(BackendHarness):
    """Layers, gradients and activations, held against sums that NumPy makes of the network's outputs."""

    def test_layers_have_names_of_the_state_and_shapes_to_count(self, manager: Manager, model: Model) -> None:
        layers = manager.measure(self.backend, model, self._request("layers")).layers
        weighted = [layer for layer in layers if layer.weight_shape]
        state = manager.save(self.backend, model)
        assert {layer.name: layer.weight_shape for layer in weighted} == {
            name.removesuffix(".weight"): values.shape for name, values in state.items() if name.endswith(".weight")
        }
        assert counting.count_macs(layers) > 0
        assert [layer.name for layer in layers if layer.is_output] == [weighted[-1].name]

    def test_taps_of_layers_are_their_outputs(self, manager: Manager, model: Model) -> None:
        layers = manager.measure(self.backend, model, self._request("layers")).layers
        taps = manager.measure(self.backend, model, self._request("taps")).taps
        calls: Counter[str] = Counter()
        expected: dict[str, tuple[int, ...]] = {}
        for layer in layers:
            expected[call_name(layer.name, calls[layer.name])] = layer.output_shape
            calls[layer.name] += 1
        assert expected.items() <= taps.items()

    def test_measuring_changes_nothing(self, manager: Manager, model: Model, images: FloatArray) -> None:
        state, outputs = manager.save(self.backend, model), manager.evaluate(self.backend, model, images)
        name = next(name for name, values in state.items() if values.ndim == 4)
        manager.measure(self.backend, model, self._request("layers"))
        manager.measure(self.backend, model, self._request("taps"))
        self._gradients(manager, model, [self._patterns()], ((name, 0), (name, 1)))
        self._activity(manager, model, images, name.removesuffix(".weight"))
        assert_equal(manager.save(self.backend, model), state)
        np.testing.assert_array_equal(manager.evaluate(self.backend, model, images), outputs)

    def test_gradients_of_the_last_layer_are_those_of_cross_entropy(self, manager: Manager, model: Model) -> None:
        # With logits z = W h + b, the loss's gradient by z is d = (softmax(z) - onehot) / N: over the row of class c,
        # the sum of W * gradient is the sum of d * (z - b) over images, and b * gradient that of d * b.
        state = manager.save(self.backend, model)
        layer = _last_layer(state)
        bias = state[f"{layer}.bias"].astype(np.float64)
        images, labels = self._patterns()
        batches = [(images[:16], labels[:16]), (images[16:40], labels[16:40])]
        axes = ((f"{layer}.weight", 0), (f"{layer}.bias", 0))
        found = self._gradients(manager, model, batches, axes)
        for row, (batch, classes) in enumerate(batches):
            logits = first(manager.evaluate(self.backend, model, batch)).astype(np.float64)
            errors = (_softmax(logits) - np.eye(logits.shape[1])[classes]) / len(classes)
            _assert_close(found[axes[0]][row], (errors * (logits - bias)).sum(axis=0), 1e-4)
            _assert_close(found[axes[1]][row], errors.sum(axis=0) * bias, 1e-4)
        assert all(values.shape == (2, len(bias)) and values.dtype == np.float64 for values in found.values())

    def test_gradients_of_convolutions_are_how_the_loss_changes_with_scale(
        self, manager: Manager, model: Model
    ) -> None:
        # Weight times gradient, summed over a slice, is the derivative of the loss by a factor on that slice.
        images, labels = self._patterns()
        state = manager.save(self.backend, model)
        names = [name for name, values in state.items() if values.ndim == 4][:2]
        axes = ((names[0], 0), (names[1], 0), (names[1], 1))
        found = self._gradients(manager, model, [(images, labels)], axes)
        for name, axis in axes:
            expected = [
                self._derivative(manager, model, state, (name, axis), position, images, labels) for position in range(4)
            ]
            largest = float(np.abs(found[name, axis]).max())
            np.testing.assert_allclose(found[name, axis][0, :4], expected, rtol=0, atol=0.02 * largest)

    def test_activity_of_the_first_layer_is_that_of_the_images(
        self, manager: Manager, model: Model, images: FloatArray
    ) -> None:
        seen = np.where(images > 0, images, np.float32(0))
        name = next(name for name, values in manager.save(self.backend, model).items() if values.ndim == 4)
        found = self._activity(manager, model, seen, name.removesuffix(".weight"))
        values = seen.astype(np.float64)
        np.testing.assert_allclose(found.mean_absolute, np.abs(values).mean(axis=(0, 2, 3)), rtol=1e-6)
        np.testing.assert_allclose(found.zeros, (values == 0).mean(axis=(0, 2, 3)), rtol=0, atol=1e-12)

    def test_activity_of_the_last_layer_is_that_of_its_inputs(
        self, manager: Manager, model: Model, images: FloatArray
    ) -> None:
        # A last layer that hands on its first inputs shows them: the outputs are what is to be measured.
        state = dict(manager.save(self.backend, model))
        layer = _last_layer(state)
        outputs, inputs = state[f"{layer}.weight"].shape
        state[f"{layer}.weight"] = np.eye(outputs, inputs, dtype=np.float32)
        state[f"{layer}.bias"] = np.zeros_like(state[f"{layer}.bias"])
        shown = manager.restore(self.backend, model, state)
        values = first(manager.evaluate(self.backend, shown, images)).astype(np.float64)
        found = self._activity(manager, shown, images, layer)
        np.testing.assert_allclose(found.mean_absolute[:outputs], np.abs(values).mean(axis=0), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(found.zeros[:outputs], (values == 0).mean(axis=0), rtol=0, atol=1e-12)

    def _gradients(
        self,
        manager: Manager,
        model: Model,
        batches: list[tuple[FloatArray, IntArray]],
        axes: tuple[Axis, ...],
    ) -> Mapping[Axis, FloatArray]:
        request = self._request("gradients", batches=batches, loss=self._loss(manager), axes=axes)
        return manager.measure(self.backend, model, request).gradients

    def _activity(self, manager: Manager, model: Model, images: FloatArray, layer: str) -> Activity:
        labels = np.zeros(len(images), dtype=np.int64)
        batches = [(images[:5], labels[:5]), (images[5:], labels[5:])]  # of different sizes: no mean of means
        request = self._request("activations", batches=batches, layer_names=(layer,))
        return manager.measure(self.backend, model, request).activations[layer]

    def _derivative(
        self,
        manager: Manager,
        model: Model,
        state: State,
        axis: Axis,
        position: int,
        images: FloatArray,
        labels: IntArray,
    ) -> float:
        step, losses = 5e-3, []
        for factor in (1 + step, 1 - step):
            scaled = {name: values.copy() for name, values in state.items()}
            np.moveaxis(scaled[axis[0]], axis[1], 0)[position] *= np.float32(factor)
            logits = first(manager.evaluate(self.backend, manager.restore(self.backend, model, scaled), images))
            losses.append(reference.hard_label(logits.astype(np.float64), None, labels, {}))
        return float(losses[0] - losses[1]) / (2 * step)


def _last_layer(state: State) -> str:
    return [name for name, values in state.items() if values.ndim == 2][-1].removesuffix(".weight")


def _softmax(logits: FloatArray) -> FloatArray:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: FloatArray = shares / shares.sum(axis=1, keepdims=True)
    return result


def _assert_close(found: FloatArray, expected: FloatArray, share: float) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=share * float(np.abs(expected).max()))
