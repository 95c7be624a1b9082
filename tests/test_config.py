"""Settings come from files; what is misspelt or misplaced is said."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
import yaml

from groundbreak.config import DetectConfig, load_config
from groundbreak.errors import ConfigError
from groundbreak.types import Kind


def load(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def test_no_file_and_an_empty_file_are_the_defaults(tmp_path):
    assert load_config(None) == DetectConfig()
    assert load(tmp_path, "") == DetectConfig()


def test_what_is_given_wins_and_the_rest_stays(tmp_path):
    config = load(
        tmp_path,
        "inference: {window: 512}\n"
        "outlines: {thresholds: {demolition: 0.7}}\n"
        "events: {min_confidence: 1, decode: {interval_mass: 0.8}}\n",
    )
    assert config.inference.window == 512
    assert config.inference.batch == DetectConfig().inference.batch
    assert config.outlines.thresholds == {Kind.DEMOLITION: 0.7}
    assert config.events.min_confidence == 1.0
    assert config.events.decode.interval_mass == 0.8
    assert config.events.decode.rates == DetectConfig().events.decode.rates


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("infrence: {window: 512}", "unknown key 'infrence'.*did you mean 'inference'"),
        ("inference: {windw: 512}", "inference: unknown key 'windw'.*did you mean 'window'"),
        ("inference: {window: big}", "inference: window.*whole number.*'big'"),
        ("inference: {window: 1.5}", "whole number"),
        ("inference: {batch: true}", "whole number"),
        ("inference: {window: 16}", "expected 0 <= 2"),
        ("inference: 3", "expected keys and values"),
        ("outlines: {thresholds: {demolitions: 0.7}}", "did you mean 'demolition'"),
        ("outlines: {thresholds: {demolition: high}}", "a number"),
        ("outlines: {thresholds: {demolition: 2}}", "between 0 and 1"),
        ("outlines: {low_ratio: -1}", "between 0 and 1"),
        ("outlines: {min_area_m2: {demolition: 0}}", "greater than 0"),
        ("prepare: {zero_is_nodata: maybe}", "true or false"),
        ("a: [", "is not a YAML file"),
    ],
)
def test_mistakes_are_said_in_one_line(tmp_path, text, problem):
    with pytest.raises(ConfigError, match=problem) as caught:
        load(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(tmp_path / "none.yaml")


def _keys(config, prefix=""):
    """Names of all settings, those of nested sections with dots."""
    for each in fields(config):
        value = getattr(config, each.name)
        if is_dataclass(value):
            yield from _keys(value, f"{prefix}{each.name}.")
        elif isinstance(value, Mapping) and value:
            yield from (f"{prefix}{each.name}.{getattr(key, 'value', key)}" for key in value)
        else:
            yield prefix + each.name


def _flat(document, prefix=""):
    for key, value in document.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key


class TestTheFileWithAllSettings:
    PATH = Path(__file__).parents[1] / "configs" / "detect" / "default.yaml"

    def test_it_lists_every_setting(self):
        assert set(_flat(yaml.safe_load(self.PATH.read_text()))) == set(_keys(DetectConfig()))

    def test_it_holds_the_defaults(self):
        assert load_config(self.PATH) == DetectConfig()

    def test_every_setting_is_explained(self):
        lines = [line for line in self.PATH.read_text().splitlines() if ":" in line]
        bare = [line for line in lines if "#" not in line]
        assert bare == []
