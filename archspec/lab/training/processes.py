"""The processes of a training: one, or those that ``torchrun`` started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn

from archspec.diagnostics import Diagnostic, SpecError, in_one_line
from archspec.lab.training.auxiliary import Objective
from archspec.wording import Brief

NAMES = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}
"""What ``torchrun`` sets in the environment, and what holds without it."""


@dataclass(frozen=True, slots=True, repr=False)
class Processes(Brief):
    """This process is number ``rank`` of ``world``, and number ``local`` on its machine; all count from 0.

    They send to each other over ``group``.
    """

    rank: int = 0
    world: int = 1
    local: int = 0
    group: Any = None

    @classmethod
    def started(cls) -> Processes:
        """Those that ``torchrun`` named in the environment, whether or not they know each other yet."""
        try:
            return cls(*(int(os.environ.get(name, default)) for name, default in NAMES.items()))
        except ValueError as error:
            raise _apart(in_one_line(error)) from None

    @classmethod
    @contextmanager
    def joined(cls, device: torch.device) -> Iterator[Processes]:
        """The same, after they know each other: over gloo on CPUs, and over NCCL on CUDA.

        Within this, they send over a group of their own, and not over the default one, which torch's
        ``DistributedDataParallel`` keeps alive. A thread of gloo may let go of a tensor only after the call that sent
        it has returned; if Python exits then, the thread ends the process with SIGABRT. The end of a group waits for
        its threads.
        """
        if not distributed.is_available():
            yield cls()
            return
        if not distributed.is_initialized():
            if cls.started().world == 1:
                yield cls()
                return
            try:
                distributed.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
            except (ValueError, RuntimeError) as error:
                raise _apart(in_one_line(error)) from None
        group = distributed.new_group()
        try:
            yield cls(distributed.get_rank(), distributed.get_world_size(), cls.started().local, group)
        finally:
            distributed.destroy_process_group(group)

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def total(self, tensor: Tensor, device: torch.device) -> Tensor:
        """The sum of a tensor on the CPU over all processes, which send it from their devices."""
        if self.world == 1:
            return tensor
        sent = tensor.to(device)
        distributed.all_reduce(sent, group=self.group)
        return sent.cpu()

    def everyones(self, value: Any) -> list[Any]:
        """The value of every process, in the order of their ranks."""
        found = [value] * self.world
        if self.world > 1:
            distributed.all_gather_object(found, value, group=self.group)
        return found

    def share_buffers(self, model: nn.Module) -> None:
        """Give every process the running statistics of the first, as its next step would."""
        if self.world > 1:
            for buffer in model.buffers():
                distributed.broadcast(buffer, 0, group=self.group)

    def wrapped(self, model: nn.Module, images: Tensor, labels: Tensor, objective: Objective) -> nn.Module:
        """The model with gradients that are means over all processes.

        torch assigns the gradients to buckets anew after its first step, and sums of three or more processes round in
        another way then. So a step that changes nothing comes first, and a training that resumes sums as one that does
        not.
        """
        if self.world == 1:
            return model
        found = nn.parallel.DistributedDataParallel(model)
        before = {key: value.clone() for key, value in model.state_dict().items()}
        objective(found(images), labels)[1].backward()
        model.load_state_dict(before)
        model.zero_grad(set_to_none=True)
        return found


def _apart(reason: str) -> SpecError:
    message = f"the processes that the environment names cannot connect: {reason}"
    help = "start them with `torchrun`, or remove RANK and WORLD_SIZE from the environment"
    return SpecError([Diagnostic("E869", message, help=help)])


def leave() -> None:
    """End the connection between the processes, if there is one."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
