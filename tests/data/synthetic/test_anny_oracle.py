"""The direct reader against the package's own model: the same faces to a thousandth of a mm.

Building that model takes a minute and fills a large cache, so this runs only when asked for:
``MESHGAN_SLOW_ORACLES=1 pytest tests/data/synthetic/test_anny_oracle.py``.
"""

import os

import numpy as np
import pytest

from meshgan.data.synthetic.phenotype import Phenotype, macro_weights

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("MESHGAN_SLOW_ORACLES"),
        reason="builds the package's own model; set MESHGAN_SLOW_ORACLES=1 to run it",
    ),
]


@pytest.fixture(scope="module")
def model():
    from anny import Anny

    return Anny(
        rig="makehuman-head",
        topology="head-noeyes-notongue-quads",
        local_changes="all",
        facial_actions="all",
        phenotypes="all",
        phenotype_blendshapes="original",
    )


@pytest.mark.parametrize("seed", range(4))
def test_same_rest_vertices(model, bases, population, seed):
    rng = np.random.default_rng(seed)
    phenotype: Phenotype = population.person(seed, 0).phenotype
    local = rng.uniform(-0.8, 0.8, len(bases.local_changes))
    actions = rng.uniform(0, 1, len(bases.action_names))
    macro = ("gender", "age", "muscle", "weight", "height", "proportions")
    arguments = {name: getattr(phenotype, name) for name in macro}
    arguments |= zip(("african", "asian", "caucasian"), phenotype.race, strict=True)
    names = [change.name for change in bases.local_changes]
    assert set(names) <= set(model.local_change_labels)
    assert set(bases.action_names) == set(model.facial_action_labels)
    result = model(
        phenotype_kwargs=arguments,
        local_changes_kwargs=dict(zip(names, local.tolist(), strict=True)),
        facial_actions=dict(zip(bases.action_names, actions.tolist(), strict=True)),
    )
    metres = result["rest_vertices"][0].numpy().astype(np.float64)
    theirs = 1000 * np.stack([metres[:, 0], metres[:, 2], -metres[:, 1]], axis=1)

    blocks = bases.blocks()
    ours = bases.base.astype(np.float64)
    parts = {
        "macro": macro_weights(phenotype),
        "more": local.clip(min=0),
        "less": (-local).clip(min=0),
    }
    for name, weights in parts.items():
        ours += np.tensordot(weights, bases.shape[blocks[name]].astype(np.float64), 1)
    ours += np.tensordot(actions, bases.action.astype(np.float64), 1)

    ids = model.base_mesh_vertex_indices.numpy()
    _, mine, its = np.intersect1d(bases.control.skin, ids, return_indices=True)
    assert len(mine) == len(bases.control.skin)
    offset = ours[mine] - theirs[its]
    assert np.abs(offset - offset.mean(axis=0)).max() < 1e-3
