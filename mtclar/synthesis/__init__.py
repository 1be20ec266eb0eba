"""People who do not exist: identity, affect to facial action, motion, scene, two artists, layouts of real datasets."""

from mtclar.synthesis.sample import make_sample

__all__ = ["make_sample"]
