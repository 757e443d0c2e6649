"""What low-level source is made of: for each operation that is a module in torch, a file with its functions.

A file has the name of its operation. ``TARGETS`` says which function computes what a module of torch does; a name with
a dot is a function of torch. A function takes the value, then what it asks for by name: the parameters ``p`` with the
``name`` of the layer, ``training``, and arguments of the module. ``new_`` and its name is the function that makes its
parameters, with ``draw_conv``, ``draw_linear`` and ``draw_bias`` for what the spec's ``init`` decides. A rank is
written as ``2d`` and ``RANK``, and torch's argument ``p``, a probability, as ``rate``. The files are copied as text:
the compiler never imports them.
"""
