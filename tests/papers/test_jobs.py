"""How jobs.yaml becomes jobs."""

from __future__ import annotations

import pytest

from semveil.errors import SemveilError
from semveil.experiment.jobs import work_of
from semveil.papers import PAPERS
from semveil.papers.jobs import BUDGETS, expand, load

GRID = """
settings:
  - set: {link.latent_dim: 8, train.epochs: 1}
  - when: {budget: gpu, form: [gap]}
    set: {train.epochs: 9}
jobs:
  - name: plain
    recipe: quickstart
    schemes: [multitask]
  - name: "{form}-{weight:g}-{seed}"
    recipe: quickstart
    schemes: [minmax, {scheme: ibal, protections: ["{key}"]}]
    when: {budget: [cpu, gpu]}
    over:
      "form, weight": [[gap, 0.5], [clipped, 0.25]]
      seed: {by: budget, cpu: [0], gpu: [0, 1]}
      key: [rotation]
    params: {form: "{form}", weight: "{weight}"}
    set: {privacy.form: "{form}", privacy.weight: "{weight}", link.latent_dim: 16}
    jobs:
      - {}
      - {name: "{form}-other-{seed}", settings: false, set: {train.epochs: 5}}
"""


def expanded(tmp_path, budget, text=GRID, seed=3):
    path = tmp_path / "jobs.yaml"
    path.write_text(text)
    return expand(load(path), "mine", budget, seed)


def test_a_grid_is_expanded_in_order(tmp_path):
    assert [job.name for job in expanded(tmp_path, "smoke")] == ["plain"]
    assert [job.name for job in expanded(tmp_path, "cpu")] == [
        "plain", "gap-0.5-3", "gap-other-3", "clipped-0.25-3", "clipped-other-3",
    ]  # fmt: skip
    gpu = expanded(tmp_path, "gpu")
    assert [job.seed for job in gpu] == [3, 3, 3, 4, 4, 3, 3, 4, 4]


def test_settings_come_in_layers(tmp_path):
    plain, gap, other, clipped, _ = expanded(tmp_path, "cpu")
    assert (plain.recipe.link.latent_dim, plain.recipe.train.epochs) == (8, 1)
    assert (gap.recipe.link.latent_dim, gap.recipe.train.epochs) == (16, 1)
    assert other.recipe.train.epochs == 5
    assert expanded(tmp_path, "gpu")[1].recipe.train.epochs == 9
    assert (clipped.params, clipped.seed) == ({"form": "clipped", "weight": 0.25}, 3)
    assert [name.label for name in gap.schemes] == ["minmax", "ibal+rotation"]


def test_included_settings_come_first(tmp_path):
    (tmp_path / "shared.yaml").write_text("settings: [{set: {train.epochs: 7, train.lr: 0.5}}]")
    (plain,) = expanded(tmp_path, "smoke", "include: shared.yaml" + GRID)
    assert (plain.recipe.train.epochs, plain.recipe.train.lr) == (1, 0.5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("jobs: [{nam: x}]", "unknown key 'nam': did you mean 'name'"),
        ("jobs: [{name: x, jobs: [{recip: y}]}]", "did you mean 'recipe'"),
        ("settings: [{sett: {}}]", "'sett'"),
        ("jobs: [{over: {x: 3}}]", "over.x: give a list"),
        ("include: nowhere.yaml", "cannot read"),
        ("omitted_records: [{metrik: ssim}]", "unknown field 'metrik': did you mean 'metric'"),
        ("jobs: []\njobs: [{name: x}]", "'jobs' is there twice"),
        ("jobs: [{name: '{x}', recipe: quickstart, schemes: [multitask]}]", "no variable 'x'"),
        (
            "jobs: [{name: x, recipe: quickstart, schemes: [multitask], set: {train.epoch: 3}}]",
            "train.epochs",
        ),
        ("jobs: [{name: x, schemes: [multitask]}]", "recipe"),
    ],
)
def test_a_mistake_in_jobs_is_one_line(tmp_path, text, words):
    with pytest.raises(SemveilError, match=words) as raised:
        expanded(tmp_path, "smoke", text)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", PAPERS.names())
@pytest.mark.parametrize("budget", BUDGETS)
def test_jobs_are_told_apart_and_name_their_work(name, budget):
    jobs = PAPERS.get(name)().jobs(budget, 3)
    assert len({job.name for job in jobs}) == len(jobs)
    # What is measured twice under the same name could not be told apart in the records.
    told = {(str(job.schemes), str(job.params), str(job.recipe), job.seed) for job in jobs}
    assert len(told) == len(jobs)
    assert all(callable(work_of(job)) for job in jobs)
