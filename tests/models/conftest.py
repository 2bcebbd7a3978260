"""What tests of models share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def torch():
    pytest.importorskip("diffusers", reason="diffusers is not installed: pip install '.[models]'")
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[models]'")
    torch.set_num_threads(1)  # tiny networks are slower on several
    return torch
