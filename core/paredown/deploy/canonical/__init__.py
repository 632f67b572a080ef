"""One form for every exported network, so that equal networks of two frameworks become equal files.

Every rewrite is a function that changes an `onnx.ModelProto` in place, in a module that is named after its subject.
"""

from paredown.deploy.canonical.pipeline import canonicalize

__all__ = ["canonicalize"]
