"""How the network learns: pairs, losses, augmentation, the training loop.

`sampler` is numpy only; the rest imports torch.
"""

import os

# Torch's threads meet after every operation, some thousand times a step, and by default the first to arrive spins until
# the last does. On a machine that does anything else besides, that makes a step several times slower. The variable is
# read once, when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
