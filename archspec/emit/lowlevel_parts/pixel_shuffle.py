"""Channels that become positions."""

TARGETS = {"torch.nn.PixelShuffle": "F.pixel_shuffle"}
