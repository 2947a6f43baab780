# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Audit a model of your own
#
# `semveil.audit` needs one function of your system, from images to complex symbols. It makes no
# assumption about the inside of this function.

# %%
import torch

import semveil
from semveil import phy
from semveil.recipe import AuditConfig

digits = semveil.data.load("digits")

# %% [markdown]
# As an example, the "encryption" of this system multiplies the pixels by a secret matrix that stays
# the same for all messages.

# %%
secret = torch.randn(64, 32, generator=torch.Generator().manual_seed(0))


def transmit(images, generator):
    """Images [B, C, H, W] in [0, 1] → waveform, complex [B, k], unit mean power per image."""
    features = (images.flatten(1) - 0.5) @ secret
    return phy.normalise_power(torch.view_as_complex(features.unflatten(1, (-1, 2))))


# %% [markdown]
# Fresh eavesdroppers receive the waveform at three SNRs. They have images and labels of their own,
# but neither the matrix nor Bob's receiver.

# %%
found = semveil.audit(
    transmit,
    digits,
    eve_snr_db=[0, 10, 20],
    settings=AuditConfig(inference=["linear", "mlp"], inversion=["linear"], max_epochs=15),
)
table = found.to_pandas()
eves = table[(table["role"] == "eve") & table["metric"].isin(["accuracy", "psnr_db"])]
eves[["adversary", "metric", "test_snr_db", "value", "ci_low", "ci_high"]]

# %% [markdown]
# A fixed secret matrix does not protect, because an eavesdropper learns to invert it:

# %%
eve = found.strongest("accuracy", snr_db=10)
print(f"{eve.adversary}: {eve.value:.3f} ({eve.ci_low:.3f} to {eve.ci_high:.3f})")
assert eve.value > 0.5

# %%
found.plot("accuracy", x="snr_db")
