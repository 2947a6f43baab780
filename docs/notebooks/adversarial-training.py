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
# # Attacks and adversarial training
#
# Mallory adds a perturbation to the waveform that Bob receives. Its power is stated as the
# perturbation-to-signal ratio (PSR) at Bob's antenna and is met exactly. The control is Gaussian
# noise of the same power.

# %%
import tempfile
from pathlib import Path

import semveil

runs = Path(tempfile.mkdtemp())
digits = semveil.data.load("digits")
link = semveil.train("mobilesc-digits", {"train.epochs": 8}, out=runs / "plain")

# %%
attacks = [
    semveil.attacks.Jamming(),
    semveil.attacks.FGM(),
    semveil.attacks.PGD(steps=10, restarts=1),
]
budgets = [-20, -14, -8]
asked = {"eavesdroppers": [], "attacks": attacks, "psr_db": budgets, "snr_db": [10]}
plain = semveil.evaluate(link, data=digits, **asked)
plain.plot("accuracy", x="psr_db")

# %% [markdown]
# ## Adversarial training
#
# Training continues with PGD perturbations of every batch. A trained defence must be attacked anew:
# the attacks below use the gradient of the adversarially trained receiver.

# %%
hardened_link = semveil.harden(
    runs / "plain", "at-pgd", {"harden.epochs": 3}, out=runs / "hardened"
)
hardened = semveil.evaluate(hardened_link, data=digits, **asked)
hardened.plot("accuracy", x="psr_db")

# %%
for name, result in {"plain": plain, "hardened": hardened}.items():
    table = result.to_pandas()
    under_attack = table[(table["metric"] == "accuracy") & table["psr_db"].isin(budgets)]
    print(name)
    print(under_attack.pivot_table("value", "adversary", "psr_db").round(3), "\n")
