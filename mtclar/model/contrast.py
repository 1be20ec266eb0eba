"""A front that takes the light out of a picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LocalContrast(nn.Module):
    """Grey pictures less their local mean, over their local standard deviation: (n, 1 or 3, h, w) -> (n, 1, h, w).

    Takes the light out of a picture and leaves its relief. The windows are those of a 96-pixel face, 17 pixels for the
    mean and 25 for the deviation, scaled to the input; the deviation is kept from vanishing by 0.03.
    """

    FLOOR = 0.03
    luma: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("luma", torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("mean", _window(size, 17 / 96), persistent=False)
        self.register_buffer("deviation", _window(size, 25 / 96), persistent=False)

    def forward(self, faces: Tensor) -> Tensor:
        if torch.is_autocast_enabled(faces.device.type):
            with torch.autocast(faces.device.type, enabled=False):  # relief is a small difference of large numbers
                return self.forward(faces.float())
        # the relief is a small difference of large numbers, which a mean of nought makes smaller: the windows' weights
        # sum to 1, so that what is taken off everywhere changes nothing but the rounding
        faces = faces - faces.mean((1, 2, 3), keepdim=True)
        grey = (faces * self.luma).sum(1, keepdim=True) if faces.shape[1] == 3 else faces
        relief = grey - self.mean @ grey @ self.mean.T
        variance = self.deviation @ (relief * relief) @ self.deviation.T
        return relief / (variance.sqrt() + self.FLOOR)


def _window(size: int, share: float) -> Tensor:
    """The matrix (size, size) that turns a column into its means over a window, of the pixels inside the picture.

    The window is the odd number of pixels next to `share` of the column.
    """
    at = torch.arange(size)
    inside = ((at[:, None] - at).abs() <= round((share * size - 1) / 2)).float()
    return inside / inside.sum(1, keepdim=True)
