"""The bundle: the trained model as three ONNX graphs with all that a labeller must know, and its ONNX Runtime sessions.

Only `export.py` imports torch; labelling never does.
"""

from mtclar.serving.bundle import Bundle
from mtclar.serving.manifest import write_bundle

__all__ = ["Bundle", "write_bundle"]
