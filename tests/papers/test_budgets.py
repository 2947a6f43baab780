"""What studies of attacks try: every budget of theirs has the attacks and settings that decide."""

from __future__ import annotations

from collections import defaultdict
from itertools import product

import pytest

from papers.numbers import row, table
from semveil.adversary.perturb.attack import chosen
from semveil.papers import PAPERS
from semveil.papers.jobs import BUDGETS
from semveil.papers.work.robustness import OPEN
from semveil.records import Estimate, Record, SystemName

JAMMING = {"jamming", "timed-jamming", "pilot-jamming", "subcarrier-jamming"}


def jobs(name, budget):
    return PAPERS.get(name)().jobs(budget, 0)


def names(job):
    return {attack.name for attack in chosen(job.recipe.attack)}


@pytest.mark.parametrize("budget", ["cpu", "gpu"])
def test_links_under_attack_are_ranked_where_something_survives(budget):
    for job in [*jobs("attacks", budget), *jobs("defences", budget)]:
        low = [level for level in job.recipe.attack.psr_db if -40 <= level <= -12]
        assert min(low) == -40
        assert len(low) >= 4
        assert {"pgd", "apgd"} <= names(job)


@pytest.mark.parametrize("budget", ["cpu", "gpu"])
def test_controls_know_the_frame_and_the_black_box_asks_long_enough(budget):
    for job in jobs("attacks", budget):
        assert names(job) >= JAMMING
        black_box = next((one for one in chosen(job.recipe.attack) if one.name == "blackbox"), None)
        if job.recipe.data.name != "imagenette" or budget == "gpu":
            assert names(job) >= {"relay", "uap", "minimum-power", "vulnerable-set"}
            assert black_box is not None
            assert black_box.config.queries >= (600 if budget == "cpu" else 3000)


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("name", ["attacks", "defences"])
def test_records_of_single_classes_are_kept_where_figures_show_them(name, budget):
    paper = PAPERS.get(name)()
    for job in paper.jobs(budget, 0):
        levels = sorted(job.recipe.attack.psr_db)
        measured = [
            Record.of(
                SystemName("mobilesc", training=training),
                Estimate(0.5, 0.4, 0.6, 9),
                role="bob",
                adversary=attack,
                psr_db=level,
                image_class=label,
                target="class 2",
                metric=metric,
                dataset=job.recipe.data.name,
                channel="multipath/lmmse",
                seed=0,
            )
            for training in ([None, "semmixed"] if name == "defences" else [None])
            for attack in ("pgm", "semadv", "blackbox")
            for level in levels
            for label in (None, 2, 3)
            for metric in ("accuracy", "psnr_db", "ssim")
        ]
        kept = paper.kept(measured, budget)
        shown = {
            (r.system.training, r.adversary, r.metric)
            for r in kept
            if r.image_class == 3 and r.psr_db == levels[len(levels) // 2]
        }
        metrics = ("accuracy", "psnr_db", *(["ssim"] if name == "attacks" else []))
        trainings = {record.training for record in measured}
        assert shown == set(product(trainings, ("pgm", "semadv"), metrics))
        # The rate of right answers is kept of all images at every PSR.
        right = [r for r in kept if r.image_class is None and r.metric == "accuracy"]
        assert {r.psr_db for r in right} == set(levels)
        assert not [r for r in kept if r.image_class is not None and r.adversary == "blackbox"]


def test_semadv_is_tried_from_equal_weights_to_thirty_to_one():
    weights = OPEN["semadv"]["innocent_weight"]
    assert (min(weights), max(weights)) == (1, 30)


@pytest.mark.parametrize("budget", ["cpu", "gpu"])
def test_learned_and_coded_links_are_searched_alike(budget):
    found = jobs("minimum-power", budget)
    assert {job.recipe.scheme for job in found} == {"mobilesc", "classical"}
    assert len({frozenset(names(job)) for job in found}) == 1
    # As many symbols over the same channel.
    for dataset in {job.recipe.data.name for job in found}:
        mine = [job.recipe for job in found if job.recipe.data.name == dataset]
        assert len({(r.link.latent_dim, r.bob.model_dump_json()) for r in mine}) == 1


@pytest.mark.parametrize("budget", BUDGETS)
def test_learned_and_coded_images_cross_the_same_channels_in_as_many_uses(budget):
    found = defaultdict(set)
    for job in jobs("image-quality", budget):
        if job.name != "mobilesc":
            system = job.params.get("codec", job.recipe.scheme)
            found[system].add((job.recipe.bob.fading, job.params["channel_uses"]))
    assert len(found) == 4
    assert len({frozenset(each) for each in found.values()}) == 1
    assert ("awgn", 256) in found["AVIF"]


@pytest.mark.parametrize("budget", ["cpu", "gpu"])
def test_keyed_links_are_relayed_and_the_private_attribute_has_a_frontier(budget):
    relayed = jobs("relay", budget)
    assert {job.recipe.scheme for job in relayed} == {"deepjscc", "shuffle", "rotation"}
    assert all({"jamming", "uap", "relay"} <= names(job) for job in relayed)
    for dataset in ("colored-mnist", "celeba"):
        weights = {
            job.recipe.model_dump()["privacy"]["weight"]
            for job in jobs("private-attribute", budget)
            if job.recipe.data.name == dataset
        }
        assert len(weights) >= 5
        assert 0.0 in weights


@pytest.mark.parametrize("budget", BUDGETS)
def test_pictures_under_a_key_are_those_of_links_that_are_trained_alike(budget):
    found = jobs("keyed-pictures", budget)
    pairs = defaultdict(dict)
    for job in found:
        (system,) = job.schemes
        pairs[job.recipe.scheme, job.recipe.data.name][system.label] = job.recipe
    for (scheme, _), pair in pairs.items():
        assert set(pair) == {scheme, f"{scheme}+rotation"}
        assert pair[scheme].train == pair[f"{scheme}+rotation"].train
        assert pair[scheme].link == pair[f"{scheme}+rotation"].link
    wanted = {"deepjscc-image", "multitask", "mobilesc"}
    assert {scheme for scheme, _ in pairs} >= wanted


def relay_claims(uap, relay):
    """Judge the study of relays: accuracies under jamming are 0.95, under others as given."""
    rows = [row(0.98, dataset="mnist", scheme="deepjscc", test_snr_db=12.0)]
    for scheme, variant in (("deepjscc", None), ("rotation", None), ("rotation", "haar")):
        rates = {"jamming": 0.95, "uap": 0.6 if scheme == "deepjscc" else uap, "relay": relay}
        if variant == "haar":
            rates["relay"] = 0.95
        for attack, rate in rates.items():
            fields = {"dataset": "mnist", "scheme": scheme, "variant": variant, "psr_db": -2.0}
            rows.append(row(rate, 0.005, adversary=attack, protocol="adaptive", **fields))
    found = PAPERS.get("relay")().judge(table(*rows))
    return [[name for name, count in one.counts.items() if count] for one in found]


@pytest.mark.parametrize(
    ("uap", "relay", "verdicts"),
    [
        (0.945, 0.7, [["confirmed"], ["confirmed"], ["confirmed", "undecided"], ["confirmed"]]),
        (0.8, 0.95, [["confirmed"], ["refuted"], ["not judged"], ["not judged"]]),
    ],
)
def test_relays_are_judged_beside_jamming(uap, relay, verdicts):
    assert relay_claims(uap, relay) == verdicts


@pytest.mark.parametrize(
    ("learned", "verdicts"),
    [
        (-6.0, ["confirmed", "confirmed"]),
        (-19.0, ["undecided", "undecided"]),
        (-30.0, ["undecided", "refuted"]),
        # The search found nothing: its limit stands for the least power.
        (20.0, ["not judged", "not judged"]),
    ],
)
def test_least_powers_are_compared_with_those_of_the_coded_link(learned, verdicts):
    fields = {"dataset": "mnist", "metric": "minimum_psr_db", "adversary": "vulnerable-set"}
    fields |= {"protocol": "adaptive"}
    rows = [
        row(0.98, dataset="mnist", scheme="mobilesc"),
        row(learned, 0.5, scheme="mobilesc", **fields),
        row(-20.0, 1.0, scheme="classical", **fields),
    ]
    published, ours, _ = PAPERS.get("minimum-power")().judge(table(*rows))
    found = [name for one in (published, ours) for name, count in one.counts.items() if count]
    assert found == verdicts
