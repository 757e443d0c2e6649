"""Activation functions: torch's own, by their names in ``torch.nn.functional``."""

TARGETS = {
    "archspec.emit.modules.PointwiseGELU": "F.gelu",
    "torch.nn.CELU": "F.celu",
    "torch.nn.ELU": "F.elu",
    "torch.nn.GELU": "F.gelu",
    "torch.nn.Hardsigmoid": "F.hardsigmoid",
    "torch.nn.Hardswish": "F.hardswish",
    "torch.nn.LeakyReLU": "F.leaky_relu",
    "torch.nn.Mish": "F.mish",
    "torch.nn.ReLU": "F.relu",
    "torch.nn.ReLU6": "F.relu6",
    "torch.nn.SELU": "F.selu",
    "torch.nn.SiLU": "F.silu",
    "torch.nn.Sigmoid": "torch.sigmoid",
    "torch.nn.Softplus": "F.softplus",
    "torch.nn.Tanh": "torch.tanh",
}
