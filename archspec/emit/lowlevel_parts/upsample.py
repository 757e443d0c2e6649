"""Upsampling."""

TARGETS = {"torch.nn.Upsample": "F.interpolate"}
