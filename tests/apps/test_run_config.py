"""Settings: the kind of run decides which there are; a preset may build on another."""

from dataclasses import replace

import pytest

from meshgan.apps.run_config import presets, read_config
from meshgan.apps.tasks import TASKS, config_of
from meshgan.apps.tasks.decoupled_gan import Config
from meshgan.errors import ConfigError


@pytest.mark.parametrize("name", presets())
def test_every_preset_parses_into_the_settings_of_its_task(name):
    config = read_config(name, None)
    assert config.task in TASKS
    assert type(config) is config_of(config.task)


def test_without_a_task_it_is_the_decoupled_gan():
    assert type(read_config(None, None)) is Config
    assert read_config(None, None).task == "decoupled_gan"


def test_a_preset_may_build_on_another():
    base, changed = read_config("mixed_start", None), read_config("without_feature_loss", None)
    assert changed.loss.feature == 0
    assert changed.loss == replace(base.loss, feature=0.0)
    assert replace(changed, loss=base.loss) == base


def test_ablations_are_the_papers_losses_but_for_one_term():
    paper = read_config("paper", None).loss
    left_out = {
        "mixed_start": {},
        "without_regulariser": {"laplacian": 0.0},
        "without_expression_classifier": {"unclassified": ("expression",)},
        "without_feature_loss": {"feature": 0.0},
    }
    for name, changes in left_out.items():
        config = read_config(name, None)
        assert config.loss == replace(paper, **changes)
        assert config.model.start == "mixed"


def test_unknown_task_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"settings: task is 'gun', expected one of decoupled_"):
        read_config(None, None, ("task=gun",))
    with pytest.raises(ConfigError, match="task is 3"):
        read_config("quick", None, ("task=3",))


def test_settings_of_another_task_are_refused():
    with pytest.raises(ConfigError, match="codez is not a setting"):
        read_config("quick", None, ("codez=1",))


def test_unknown_preset_names_those_that_are():
    with pytest.raises(ConfigError, match=r"no such preset; known: .*quick"):
        read_config("quickest", None)
