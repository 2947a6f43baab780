"""Natural images that need no download: patches of a photograph that scikit-learn brings along."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_sample_image


@pytest.fixture(scope="session")
def patches():
    photograph = load_sample_image("china.jpg").transpose(2, 0, 1)
    # Below the sky, which is too smooth to spend bytes on.
    corners = [(row, column) for row in range(180, 360, 60) for column in range(0, 600, 120)]
    return np.stack([photograph[:, r : r + 64, c : c + 64] for r, c in corners])
