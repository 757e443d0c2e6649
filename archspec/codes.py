"""The table of diagnostic codes: a title, and what ``archspec explain CODE`` says about it.

A code keeps its meaning for ever; a new meaning takes a new code.
"""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """A title for lists, and an explanation: why it is refused, an example, and what to write instead."""

    title: str
    explanation: str


CODES: dict[str, Code] = {
    "E101": Code(
        "not text",
        "The file is not UTF-8 text, or holds characters (NUL, control characters, lone surrogates) that no "
        "YAML file may hold.",
    ),
    "E102": Code(
        "not YAML",
        "The text does not follow YAML's grammar. The place is where the parser gave up; the slip is often a "
        "line earlier: a missing space after a colon, an unclosed bracket, mixed indentation, or an "
        "expression with a comma, colon or brace that needs quotes inside `{...}`.",
    ),
    "E103": Code(
        "too large",
        "A spec is small: at most 256 KiB, 64 levels deep and 20,000 values after aliases are expanded; and steps "
        "stand at most 64 deep in steps, counting the fragments that they call. Larger input is refused before it "
        "can take time or memory.",
    ),
    "E104": Code(
        "key written twice",
        "A mapping holds the same key twice. YAML readers silently keep one of them; archspec shows both.",
    ),
    "E105": Code(
        "merge key",
        "`<<` is not part of YAML 1.2. Use `extends` to build on another spec.",
    ),
    "E106": Code(
        "alias without a value",
        "An alias (`*name`) refers to an anchor that does not exist, or to one that contains the alias itself.",
    ),
    "E107": Code(
        "tag",
        "Tags (`!something`) can make a YAML reader build objects and run code. A spec has none.",
    ),
    "E108": Code(
        "key that is not text",
        "Every key of a spec is text. A number, a list or an empty key is refused; quote it if it is meant as text.",
    ),
    "E109": Code(
        "not one mapping",
        "A spec is one document, a mapping of keys to values. Empty files, several documents (`---`) and "
        "lists are refused.",
    ),
    "E110": Code(
        "read differently by YAML versions",
        "YAML 1.1 and 1.2 read this value differently: `010` is 8 or 10, `0x1F` a number or text, `yes` a "
        "truth value or text. Write the number in plain decimal digits, `true` or `false`, or quote the text.",
    ),
    "E111": Code(
        "not a finite number",
        "`.nan`, `.inf` and numbers with very many digits have no meaning in a spec.",
    ),
    "E201": Code(
        "unknown key",
        "The key is not part of the language at this place. Nothing in a spec is ignored silently.",
    ),
    "E202": Code(
        "wrong type",
        "The value has another type than the key takes, such as text where a list of numbers belongs.",
    ),
    "E203": Code(
        "missing key",
        "A key that is required here is missing.",
    ),
    "E204": Code(
        "not one of the words",
        "The key takes one of a few words, and this is none of them.",
    ),
    "E205": Code(
        "out of range",
        "The number is below or above what the key takes.",
    ),
    "E206": Code(
        "wrong structure",
        "The value has the right type but not the right form: a list of the wrong length, or a step that is "
        "not exactly one operation.",
    ),
    "E207": Code(
        "unknown language version",
        "This archspec reads language version 1. A spec starts with `archspec: 1`.",
    ),
    "E301": Code(
        "unknown parameter",
        "A key of the stage table, or an argument of a block or fragment, is declared by nothing that could read it.",
    ),
    "E302": Code(
        "unknown name",
        "No definition of that name is in sight. Definitions are looked up where they are written: first in "
        "the same file, then in its imports, then in the library.",
    ),
    "E303": Code(
        "specs that extend each other",
        "A chain of `extends` or `import` comes back to where it started.",
    ),
    "E304": Code(
        "two nodes of one name",
        "Two nodes of the network would have the same name, and so the same state-dict keys. Give one a "
        "`name:`, or change the `naming` template.",
    ),
    "E305": Code(
        "not a usable name",
        "Names become attributes of a module and lines of source. They are dotted ASCII identifiers or "
        "digits, no Python keyword, and no attribute that a torch module has already.",
    ),
    "E306": Code(
        "missing argument",
        "A parameter whose default is `null` must be given by whoever uses the block or fragment.",
    ),
    "E307": Code(
        "fragments that call each other",
        "A fragment comes back to itself. The language is total: there is no recursion.",
    ),
    "E308": Code(
        "`let` in a circle",
        "Definitions under `let` depend on each other in a circle.",
    ),
    "E309": Code(
        "setting that the block fixes",
        "The block means something only with the value it fixes, and the stage asks for another.",
    ),
    "E310": Code(
        "unknown scope",
        "`outputs`, `expect.stages`, `--frozen` or a budget of `--expect` names a scope that the network does not "
        "have, or `outputs` one that is not visible outside its block. `archspec show SPEC --graph` prints the names.",
    ),
    "E311": Code(
        "lists of different length",
        "All lists of a stage table have one length: the number of stages. A list inside a cell has one value "
        "for each block of the stage.",
    ),
    "E312": Code(
        "parameter named like a word",
        "A parameter may not be called like a word of the language (`relu`, `batch`), because the word could "
        "then mean two things.",
    ),
    "E313": Code(
        "value that cannot be overridden",
        "The place that `--set` or `extends` names does not exist or is not a mapping.",
    ),
    "E314": Code(
        "name given twice",
        "A definition gives the same name under `params` and under `let`. One would hide the other; rename one.",
    ),
    "E401": Code(
        "not an expression",
        "The text does not follow the grammar of expressions: numbers, quoted words, names, `+ - * / // %`, "
        "comparisons, `and or not`, `a if c else b`, and a few functions. Inside `{...}` an expression with a "
        "comma, colon or brace needs quotes.",
    ),
    "E402": Code(
        "unknown name in an expression",
        "The expression uses a name that nothing defines here.",
    ),
    "E403": Code(
        "not a whole number",
        "A whole number is needed here (channels, sizes, counts), and the expression gives a fraction. Use "
        "`int`, `round`, `//` or `make_divisible` to say how to round.",
    ),
    "E404": Code(
        "division by zero",
        "The expression divides by zero.",
    ),
    "E405": Code(
        "expression out of bounds",
        "Expressions are bounded: 500 characters, 32 levels, magnitudes up to 10^15.",
    ),
    "E406": Code(
        "wrong kind of value",
        "The expression gives a word where a number is needed, a number where a truth value is needed, or the like.",
    ),
    "E407": Code(
        "whether a layer is the last depends on its input",
        "Whether this step exists depends on `in_channels`, and an earlier layer has to know whether it is "
        "the block's last. Decide by a parameter instead.",
    ),
    "E501": Code(
        "size below one",
        "Channels, sizes and counts are whole numbers of at least 1.",
    ),
    "E502": Code(
        "kernel larger than its input",
        "The window does not fit even once in the padded input. The shapes that led here are listed.",
    ),
    "E503": Code(
        "groups that do not divide",
        "Input and output channels of a grouped convolution must both be multiples of `groups`.",
    ),
    "E504": Code(
        "shapes that do not agree",
        "A merge brings together values of different shapes. Additions never broadcast; `multiply` lets a 1x1 "
        "map scale a larger one; `concat` joins channels where the spatial sizes agree.",
    ),
    "E505": Code(
        "change of shape that the shortcut refuses",
        "The block changes the shape, and its shortcut says nothing about a change. `identity` refuses one on "
        "purpose; `projection` adds a 1x1 convolution.",
    ),
    "E506": Code(
        "wrong number of dimensions",
        "An operation for spatial values meets a flat one, or a list of sizes has another length than there "
        "are spatial axes. `--input` has as many numbers as the `input` of the spec, channels first: `3x224x224`.",
    ),
    "E507": Code(
        "channels that do not fit",
        "The operation cannot make these channels from what reaches it, such as padding to fewer channels or "
        "slicing past the end.",
    ),
    "E601": Code(
        "too many nodes",
        "The network would have more nodes than the limit, which `--limit nodes=N` raises if that is meant; or one "
        "sequence, with the fragments that it calls, expands to more than 20,000 steps.",
    ),
    "E602": Code(
        "too many elements",
        "A value or the weights would have more elements than the limit. Raise it with `--limit elements=N` "
        "if that is meant.",
    ),
    "E701": Code(
        "expectation that does not hold",
        "The compiled network differs from what `expect` says, or does not keep a budget of `--expect`.",
    ),
    "E702": Code(
        "expectation that cannot be measured",
        "The figure cannot be had here, such as `skip_paths` of a single stage. It is never counted as held.",
    ),
    "E703": Code(
        "not an expectation",
        "An expectation is a number, a rounded figure (`25.6M`), a power (`2^16`) or a bound (`{max: 26M}`). With "
        "`--expect` a figure of the network or of a stage is compared with a number: `params<=26M`, `layer1.macs<1G`.",
    ),
    "E704": Code(
        "shape that torch does not confirm",
        "archspec inferred another shape than torch computes. That is a defect of archspec: please report it "
        "with the spec.",
    ),
    "E705": Code(
        "built network that is not the compiled one",
        "What torch builds has other weights, or gives another output, than archspec inferred. That is a defect of "
        "archspec: please report it with the spec.",
    ),
    "E706": Code(
        "network that cannot be trained",
        "`archspec test` runs the network once forward and back, with the weights as they are initialised. torch "
        "refused to, or a result or a gradient is not finite: numbers grow from step to step where no norm holds them.",
    ),
    "E707": Code(
        "weights that do not come back",
        "The same seed gave other weights, or weights that were saved and loaded are not the same. That is a defect of "
        "archspec: please report it with the spec.",
    ),
    "E801": Code(
        "no such spec",
        "Neither a file nor a spec of the zoo has that name.",
    ),
    "E802": Code(
        "path outside the spec's folder",
        "`extends` and `import` read only beside the spec, below it, and in the zoo. `--allow-outside` lifts "
        "that for files you trust.",
    ),
    "E803": Code(
        "not a regular file",
        "Only regular files are read: no folders, pipes or devices.",
    ),
    "E804": Code(
        "unreadable file",
        "The file exists but cannot be read.",
    ),
    "E805": Code(
        "output that exists",
        "The output file exists already. `--force` replaces it.",
    ),
    "E806": Code(
        "unwritable output",
        "The output cannot be written: a missing folder, no permission, a full disk, a link, or the spec itself.",
    ),
    "E807": Code(
        "weights that do not fit",
        "The file's tensors do not match the network: every missing, extra and misshapen key is listed.",
    ),
    "E808": Code(
        "not a weights file",
        "The file is neither safetensors nor a state dict that torch can load without running code.",
    ),
    "E809": Code(
        "missing extra",
        "The command needs a package that is not installed.",
    ),
    "E820": Code(
        "not a key map",
        "The file is not JSON, or has something else than keys of state dicts in it. A key map is what `archspec "
        "verify --map` writes: under `keys`, each key of the spec with the key of the weights that stands for it.",
    ),
    "E821": Code(
        "key map with unknown keys",
        "The key map names keys of the spec that the network does not have, so it was written for another spec or for "
        "an older form of this one. Write it again. A transfer takes what is there, if the map says that it is "
        "another spec's.",
    ),
    "E822": Code(
        "key map that gives one key to several",
        "One key of the weights stands for several keys of the spec. Each tensor has one place; a map that says "
        "otherwise was put together wrongly.",
    ),
    "E823": Code(
        "several state dicts",
        "The checkpoint holds several state dicts, such as the weights and their moving average (EMA), or those of two "
        "networks. Which is meant cannot be known, and they give different results. Save the one that is meant.",
    ),
    "E824": Code(
        "nothing to transfer",
        "No tensor of the weights has the key and the shape of one in the network, so that a transfer would leave all "
        "of it initialised. The weights may be another network's, or their keys may have other names.",
    ),
    "E901": Code(
        "not a reference",
        "A reference is `torchvision:NAME`, `timm:NAME` or `module.path:factory`, with arguments in brackets where the "
        "factory takes any: `torchvision:googlenet(aux_logits=False)`. They are literals; nothing is evaluated. "
        "What a spec names itself is of torchvision or timm, with numbers for arguments.",
    ),
    "E902": Code(
        "no such reference",
        "The library, the module or the factory that the reference names does not exist.",
    ),
    "E903": Code(
        "reference that cannot be imported",
        "The module that the reference names exists, and raises an exception when it is imported.",
    ),
    "E904": Code(
        "reference that cannot be made",
        "The factory that the reference names raises an exception, perhaps for want of an argument.",
    ),
    "E905": Code(
        "reference that is no network",
        "What the reference names is neither a `torch.nn.Module` nor a function that returns one.",
    ),
    "E906": Code(
        "network that differs from its reference",
        "Brought into one form, the graphs of the two networks are not the same. The place is the first step, in the "
        "order of the spec's network, that has no counterpart in the reference.",
    ),
    "E907": Code(
        "reference that cannot be traced",
        "`torch.fx` cannot trace the reference, because what it computes depends on values or on Python that sees "
        "through the trace. Outputs can still be compared, with weights paired in the order of execution.",
    ),
    "E908": Code(
        "keys that differ from the reference's",
        "The state dict of the network has other keys than the reference's, other shapes, or another order.",
    ),
    "E909": Code(
        "outputs that differ from the reference's",
        "With equal weights, the network does not compute what the reference computes, or it cannot be compared.",
    ),
    "W301": Code(
        "setting that nothing reads",
        "A setting or a column is written, but no block of the network reads it.",
    ),
    "W302": Code(
        "`post` after `pre`",
        "A `post` stage after a `pre` stage reads a sum that was never normalised.",
    ),
    "W303": Code(
        "`channels` means different things",
        "The stages use blocks that mean different things by `channels`.",
    ),
    "W304": Code(
        "replaced by a generator",
        "`quantized_linear` generates `count` and `channels`; what is written or inherited there is not used.",
    ),
    "W501": Code(
        "stem too coarse for its input",
        "The stem shrinks a small input to almost nothing. The `cifar` stem keeps the size of 32x32 images.",
    ),
    "W502": Code(
        "width rounded",
        "A width was rounded to a multiple of the divisor.",
    ),
    "W820": Code(
        "weights that were wrapped",
        "The weights stood in an entry of a checkpoint, or all of their keys began with a prefix that training put "
        "there, such as the `module.` of DistributedDataParallel. It was taken off.",
    ),
    "W821": Code(
        "weights of another dtype",
        "The weights were cast to the dtype of the model, which nobody had asked for. Numbers may have been rounded.",
    ),
    "W822": Code(
        "weights that are not finite",
        "The weights hold NaN or infinity. They were loaded as they are; training that diverged leaves such files.",
    ),
    "W823": Code(
        "key map of another spec",
        "The key map was written for a spec with another hash. The keys may mean the same, as where only the number of "
        "classes differs; archspec cannot tell.",
    ),
}
