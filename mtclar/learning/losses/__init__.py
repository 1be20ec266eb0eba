"""The losses of MT-CLAR (arXiv 2308.02173), one a module, and how they are weighed.

What is not known (`similar` null, a label NaN) is left out of the loss it would enter; a loss of nothing is 0 and has a
gradient of 0. Nothing here waits for the device.
"""

from mtclar.learning.losses.delta import DeltaLoss, ccc
from mtclar.learning.losses.embedding import EmbeddingLoss
from mtclar.learning.losses.similarity import ClassLoss
from mtclar.learning.losses.truth import PairTruth, SingleTruth

__all__ = ["ClassLoss", "DeltaLoss", "EmbeddingLoss", "PairTruth", "SingleTruth", "ccc"]
