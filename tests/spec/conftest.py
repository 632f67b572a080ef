"""Small plugins that give a spec everything it may name, so that these tests need no framework and no other plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, PositiveInt

from paredown.contracts import BackendInfo, Component
from paredown.manager import Manager
from paredown.markers import hookimpl
from paredown.registry import Registry
from paredown.spec import loader
from paredown.spec.base import ComponentConfig, Frozen
from paredown.spec.document import Document
from paredown.spec.models import Spec
from paredown.spec.source import read_mapping
from paredown.spec.vocabulary import Vocabulary
from paredown.spec.yaml_reader import read_yaml

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart.yaml"


class Classification(ComponentConfig):
    kind: Literal["classification"] = "classification"


class Limits(Frozen):
    train: PositiveInt | None = None
    test: PositiveInt | None = None


class Digits(ComponentConfig):
    kind: Literal["digits"] = "digits"
    limit: PositiveInt | Limits | None = None


class FashionMnist(ComponentConfig):
    kind: Literal["fashion_mnist"] = "fashion_mnist"
    directory: str | None = None
    limit: Annotated[int, Field(ge=1)] = 6000


class OnnxRuntime(ComponentConfig):
    kind: Literal["onnxruntime"] = "onnxruntime"


class Parts:
    @hookimpl
    def register_components(self) -> list[Component]:
        return [
            Component("task", "classification", "fake:task", Classification),
            Component("data", "digits", "fake:digits", Digits),
            Component("data", "fashion_mnist", "fake:fashion", FashionMnist),
            Component("runtime", "onnxruntime", "fake:runtime", OnnxRuntime),
        ]


class Backend:
    def __init__(self, name: str, models: tuple[str, ...]) -> None:
        self.name, self.models = name, models

    @hookimpl
    def register_backend(self) -> BackendInfo:
        libraries = {"timm": ()} if self.name == "torch" else {}
        install = f"pip install {self.name}"
        return BackendInfo(self.name, self.name.title(), (), install, self.models, ("m", "C"), libraries=libraries)


@pytest.fixture(scope="session")
def registry() -> Registry:
    """Core, the parts above, and two backends that share all networks but one."""
    manager = Manager()
    manager.register(Parts(), "parts")
    manager.register(Backend("torch", ("cnn", "resnet18", "resnet20", "mobilenet_v2", "vgg19")), "torch")
    manager.register(Backend("paddle", ("cnn", "resnet18", "resnet20", "mobilenet_v2")), "paddle")
    return manager.registry


@pytest.fixture(scope="session")
def quickstart_file() -> Path:
    return QUICKSTART


@pytest.fixture
def quickstart() -> dict[str, Any]:
    """The quickstart as plain data, fresh."""
    return dict(read_yaml(QUICKSTART.read_text("utf-8"), None).data)


@pytest.fixture(autouse=True)
def _what_was_read_reads_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every spec that a test of this directory reads is also read from its own dump, as runs and artifacts do."""
    read = loader._checked

    def twice(document: Document, vocabulary: Vocabulary) -> Spec:
        spec = read(document, vocabulary)
        again = read_mapping(spec.model_dump(mode="json", serialize_as_any=True))
        assert read(again, vocabulary) == spec
        return spec

    monkeypatch.setattr(loader, "_checked", twice)
