"""Where the loop runs: one thread, so that numbers and times do not depend on the machine."""

import pytest
import torch
from lightning_fabric import Fabric


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def fabric():
    return Fabric(accelerator="cpu", devices=1, precision="32-true")
