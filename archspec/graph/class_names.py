"""Names of classes: from the names of the spec, else from what a sequence holds."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Sequence

from archspec.graph.definitions import Leaf, Use
from archspec.graph.plan import Module

SPELLED = {"se": "SqueezeExcite", "mbconv": "MBConv", "fused_mbconv": "FusedMBConv", "convnext": "ConvNeXt"}
"""Names of the library and of the zoo that a person spells in another way."""
MOST_WORDS = 3
PREFIX = {"block": "Block", "shortcut": "Shortcut"}
"""What goes before a name that starts with a digit, or that is one letter."""

IMPORTED = frozenset({"Tensor", "F", "OrderedDict", "Any", "Callable", "Mapping", "Sequence", "Iterable", "Iterator"})
"""Names that source imports, beside modules."""
_MODULES = """
AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveLogSoftmaxWithLoss AdaptiveMaxPool1d AdaptiveMaxPool2d
AdaptiveMaxPool3d AlphaDropout AvgPool1d AvgPool2d AvgPool3d BCELoss BCEWithLogitsLoss BatchNorm1d BatchNorm2d
BatchNorm3d Bilinear Buffer CELU CTCLoss ChannelShuffle CircularPad1d CircularPad2d CircularPad3d ConstantPad1d
ConstantPad2d ConstantPad3d Container Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d
CosineEmbeddingLoss CosineSimilarity CrossEntropyLoss CrossMapLRN2d DataParallel Dropout Dropout1d Dropout2d Dropout3d
ELU Embedding EmbeddingBag FeatureAlphaDropout Flatten Fold FractionalMaxPool2d FractionalMaxPool3d GELU GLU GRU
GRUCell GaussianNLLLoss GroupNorm Hardshrink Hardsigmoid Hardswish Hardtanh HingeEmbeddingLoss HuberLoss Identity
InstanceNorm1d InstanceNorm2d InstanceNorm3d KLDivLoss L1Loss LPPool1d LPPool2d LPPool3d LSTM LSTMCell LayerNorm
LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d LazyConv1d LazyConv2d LazyConv3d LazyConvTranspose1d
LazyConvTranspose2d LazyConvTranspose3d LazyInstanceNorm1d LazyInstanceNorm2d LazyInstanceNorm3d LazyLinear LeakyReLU
Linear LinearCrossEntropyLoss LinearCrossEntropyOptions LocalResponseNorm LogSigmoid LogSoftmax MSELoss
MarginRankingLoss MaxPool1d MaxPool2d MaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d Mish Module ModuleDict ModuleList
MultiLabelMarginLoss MultiLabelSoftMarginLoss MultiMarginLoss MultiheadAttention NLLLoss NLLLoss2d PReLU
PairwiseDistance Parameter ParameterDict ParameterList PixelShuffle PixelUnshuffle PoissonNLLLoss RMSNorm RNN RNNBase
RNNCell RNNCellBase RReLU ReLU ReLU6 ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d
ReplicationPad3d SELU Sequential SiLU Sigmoid SmoothL1Loss SoftMarginLoss Softmax Softmax2d Softmin Softplus
Softshrink Softsign SyncBatchNorm Tanh Tanhshrink Threshold Transformer TransformerDecoder TransformerDecoderLayer
TransformerEncoder TransformerEncoderLayer TripletMarginLoss TripletMarginWithDistanceLoss Unflatten Unfold
UninitializedBuffer UninitializedParameter Upsample UpsamplingBilinear2d UpsamplingNearest2d ZeroPad1d ZeroPad2d
ZeroPad3d
"""
MODULES = frozenset(_MODULES.split())
"""The classes of ``torch.nn``, so that no block looks like one of them."""


class ClassNames:
    """The class names of one network so far; ``taken`` are those that no class may have."""

    def __init__(self, targets: set[str]) -> None:
        self.taken = {target.rpartition(".")[2] for target in targets} | IMPORTED | MODULES

    def of(self, modules: list[Module], whats: Sequence[Leaf | Use]) -> str:
        """A name for the class of modules that become one definition, by the spec, their parts, or their path."""
        first = modules[0]
        regions = [module.region for module in modules]
        names = {each.name if each and each.kind not in ("layer", "stage") else "" for each in regions}
        if first.kind == "model":
            return self._unique(_beginning(camel(first.name), "Network"))
        if regions[0] and regions[0].name in names and "" not in names:
            name = camel(regions[0].name)
            prefix = PREFIX.get(regions[0].kind, "Part")
            return self._unique(_beginning(name, prefix) if len(name) > 1 else f"{prefix}{name}")
        alone = len(modules) == 1 and not first.path.rpartition(".")[2].isdecimal()
        return self._unique(("" if alone else _by_parts(first, whats)) or _by_path(first))

    def _unique(self, name: str) -> str:
        wanted, number = f"{name}_" if name[-1].isdecimal() else name, 2
        while name in self.taken or keyword.iskeyword(name) or hasattr(builtins, name):
            name, number = f"{wanted}{number}", number + 1
        self.taken.add(name)
        return name


def camel(name: str) -> str:
    """A name of the spec as that of a class, of ASCII letters and digits; empty if it has none of them.

    >>> camel("squeeze_excite"), camel("2plus1d"), camel("avg-projection"), camel("…")
    ('SqueezeExcite', '2plus1d', 'AvgProjection', '')
    """
    words = re.split(r"[^0-9A-Za-z]+", name)
    return SPELLED.get(name) or "".join([word[:1].upper() + word[1:] for word in words])


def _beginning(name: str, prefix: str) -> str:
    """A name that begins with a letter."""
    return name if name[:1].isalpha() else f"{prefix}{name}"


def _by_parts(module: Module, whats: Sequence[Leaf | Use]) -> str:
    """``ConvNormAct``, for a short sequence."""
    if module.kind != "sequential" or not 2 <= len(whats) <= MOST_WORDS or sum(isinstance(w, Use) for w in whats) > 1:
        return ""
    words = []
    for what in whats:
        if isinstance(what, Use):
            words.append(what.definition.class_name)
        else:
            words += [camel(node.operation.name) for node in what.nodes if node][:1]
    return "".join(words)


def _by_path(module: Module) -> str:
    """The last name on the way to a module, with the numbers after it: ``Features1``."""
    parts = module.path.split(".")
    last = max([place for place, part in enumerate(parts) if not part.isdecimal()], default=0)
    name = camel("_".join(parts[last:]))
    return _beginning(name, "Part") if len(name) > 1 else f"Part{name}"
