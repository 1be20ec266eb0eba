"""How the network learns: pairs, losses, augmentation, the training loop.

`sampler` is numpy only; the rest imports torch.
"""
