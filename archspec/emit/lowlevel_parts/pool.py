"""Pooling."""

TARGETS = {
    "torch.nn.MaxPool2d": "F.max_pool2d",
    "torch.nn.AvgPool2d": "F.avg_pool2d",
    "torch.nn.AdaptiveMaxPool2d": "F.adaptive_max_pool2d",
    "torch.nn.AdaptiveAvgPool2d": "F.adaptive_avg_pool2d",
}
