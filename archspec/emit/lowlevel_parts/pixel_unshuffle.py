"""Positions that become channels."""

TARGETS = {"torch.nn.PixelUnshuffle": "F.pixel_unshuffle"}
