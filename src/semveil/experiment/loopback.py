"""How the processes of one machine that train together meet."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy

__all__ = ["Fabric", "Loopback"]

# They announce precision, ranks and the end of processes on the terminal that progress bars own;
# here, because the processes that Fabric starts import this module too.
for _name in ("lightning_fabric", "lightning.fabric"):
    logging.getLogger(_name).setLevel(logging.WARNING)
logging.getLogger("torch.multiprocessing").setLevel(logging.ERROR)


class Loopback(DDPStrategy):
    """Processes of this machine, to which other machines cannot connect."""

    def __init__(self, meeting: Path) -> None:
        super().__init__(start_method="spawn")
        self.meeting = meeting

    def _setup_distributed(self) -> None:
        # Fabric's way is a server that listens on all interfaces, without a password.
        self._set_world_ranks()
        for library in ("GLOO", "NCCL"):
            os.environ[f"{library}_SOCKET_IFNAME"] = "lo0" if sys.platform == "darwin" else "lo"
        self._process_group_backend = self._get_process_group_backend()
        dist.init_process_group(
            self._process_group_backend,
            init_method=f"file://{self.meeting}",
            rank=self.global_rank,
            world_size=self.world_size,
            timeout=self._timeout,
            device_id=self.root_device if self.root_device.type != "cpu" else None,
        )
