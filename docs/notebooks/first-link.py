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
# # A first link
#
# Alice encodes an image into complex symbols, a channel carries them, and Bob classifies the digit.
# This notebook trains such a link on the 8×8 digits that come with scikit-learn, sends images
# over it, and measures eavesdroppers. It runs in about a minute on two CPU cores.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import semveil

runs = Path(tempfile.mkdtemp())

# %% [markdown]
# A recipe holds every setting of a run. `ibal-digits` trains an information bottleneck with a
# simulated inverter. Changes are given by their keys.

# %%
link = semveil.train("ibal-digits", {"train.epochs": 10}, out=runs / "ibal")
print(link.card)

# %% [markdown]
# ## Send images

# %%
digits = semveil.data.load("digits")
images = torch.from_numpy(digits.test.x[:8]).float() / 255
answer = link.send(images, snr_db=12)

fig, axes = plt.subplots(1, 8, figsize=(8, 1.6))
for ax, image, logits in zip(axes, images, answer.logits, strict=True):
    ax.imshow(image[0], cmap="gray")
    ax.set_title(f"Bob: {int(logits.argmax())}", fontsize=9)
    ax.axis("off")

# %% [markdown]
# What Alice sends is a waveform of complex symbols with unit mean power per image:

# %%
waveform = link.transmit(images)
print(waveform.shape, waveform.abs().square().mean(dim=1))

# %% [markdown]
# ## Eavesdroppers
#
# The link is frozen. Fresh eavesdroppers are trained on images that the link was not trained on,
# and the strongest one is reported. Here they train for 15 epochs; omit `changes` for a final
# result.

# %%
quick = {"audit.max_epochs": 15, "audit.rounds": 1}  # leave this out for figures that count
found = semveil.evaluate(link, data=digits, snr_db=[4, 12, 20], changes=quick)
table = found.to_pandas()
table[table["metric"] == "accuracy"][["role", "adversary", "test_snr_db", "value"]]

# %%
figure = found.plot("accuracy", x="snr_db")

# %% [markdown]
# This scheme does not protect the label: an Eve with labels of her own learns Bob's task. The
# bottleneck is meant to protect the image. What an Eve reaches who receives nothing is the floor:

# %%
eve = found.strongest("psnr_db", snr_db=12)
floor = table.loc[table["metric"] == "psnr_db_floor", "value"].max()
print(f"{eve.adversary}: {eve.value:.2f} dB ({eve.ci_low:.2f} to {eve.ci_high:.2f})")
print(f"floor: {floor:.2f} dB")

# %% [markdown]
# How much of that the bottleneck hides, only a link without one can tell:
# `semveil.load("digits/deepjscc")`, attacked in the same way.
