"""The network: EmoFAN encoder, MT-CLAR's projectors, the supervised heads, checkpoints, and the predictor on top.

Importing this room imports torch.
"""
