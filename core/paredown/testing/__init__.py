"""The conformance kit: suites that any backend or plugin runs, ours and a stranger's, through the public hooks.

Subclass a suite in a test module, name what it is about, and pytest collects its claims:

    from paredown.testing import BackendConformance

    class TestMyBackend(BackendConformance):
        backend = "mine"
"""

from paredown.testing.backend import BackendConformance
from paredown.testing.components import CriterionConformance, DataConformance, ObserverConformance
from paredown.testing.runtimes import RuntimeConformance
from paredown.testing.tasks import TaskConformance

__all__ = [
    "BackendConformance",
    "CriterionConformance",
    "DataConformance",
    "ObserverConformance",
    "RuntimeConformance",
    "TaskConformance",
]
