"""What is known of a video once it has been read: times, shots, faces, embeddings and predictions."""

from mtclar.features.prediction import predict
from mtclar.features.table import Faces, Features

__all__ = ["Faces", "Features", "predict"]
