"""How the network learns: pairs, losses, augmentation, the training loop.

`pairs` is numpy only; the rest imports torch.
"""

import os

# Torch's threads meet after every operation, some thousand times a step, and by default the first to arrive spins for
# milliseconds until the last does. On two cores with other work beside, that made a step five times slower than
# spinning briefly; never spinning cost half as much again on quiet ones. Torch reads the variable when it is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
