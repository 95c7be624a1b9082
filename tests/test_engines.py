"""The engines side by side: the same answers, the same events; and how one is chosen."""

import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from shapely.geometry import shape

from groundbreak.catalog.scan import scan_folder
from groundbreak.catalog.store import write_catalog
from groundbreak.config import DetectConfig
from groundbreak.errors import ConfigError, WeightsError
from groundbreak.evaluate.predict import open_predictor
from groundbreak.inference import checked, choose, device, graph, kept, runtimes
from groundbreak.inference.choose import AutoEngine, EngineChoice, open_engine
from groundbreak.inference.engine import Statistics
from groundbreak.inference.graph import load_graphs, write_graphs
from groundbreak.inference.quantise import load_quantised, quantised_decoder, quantised_path
from groundbreak.inference.runtimes import RuntimeEngine, open_onnxruntime
from groundbreak.inference.torch_engine import TorchEngine, folded
from groundbreak.model.card import Card
from groundbreak.model.network import SiameseUNet, both_orders, class_probabilities, shows_change
from groundbreak.model.shape import NetworkConfig
from groundbreak.model.weights import LoadedModel, find_weights, load_weights, save_weights
from groundbreak.pairs.index import read_index, read_pair
from groundbreak.pipeline import tasks
from groundbreak.pipeline.run import RunRequest, run_detect
from groundbreak.simulate.series import write_series as simulate
from series import write_series, write_sites

SMALL = NetworkConfig(fused=(4, 4, 8, 8, 16), decoder=(16, 8, 8, 8))

RUNTIMES = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            find_spec(name) is None, reason=f"groundbreak[{name}] is not installed"
        ),
    )
    for name in choose.RUNTIMES
]
ENGINES = ["torch", *RUNTIMES]


def model(**network):
    torch.manual_seed(0)
    config = replace(SMALL, **network)
    made = SiameseUNet(config).eval()
    with torch.no_grad():  # a fresh head answers the same everywhere
        for parameter in made.head.parameters():
            parameter.normal_(std=0.5)
    card = Card("t", "", ("red", "green", "blue", "nir")[: config.bands], (0.2, 3), config)
    return LoadedModel(made, card)


def images(shape, seed=1):
    return np.random.default_rng(seed).random((2, *shape), dtype=np.float32)


@pytest.mark.parametrize(
    "network",
    [{}, {"bands": 4, "standardise": "date"}, {"both_orders": False}],
    ids=["pair", "date", "one order"],
)
@pytest.mark.parametrize("name", RUNTIMES)
def test_a_runtime_answers_as_the_network_does(name, network):
    loaded = model(**network)
    bands = loaded.card.network.bands
    exact = TorchEngine(loaded.network, loaded.card, "cpu")
    exact._precision = "float32"
    tested = choose.RUNTIMES[name](write_graphs(loaded))
    scene = Statistics(np.full((2, bands), 0.4), np.full((2, bands), 0.2))
    for (n, height, width), statistics, zoom in [
        ((2, 64, 96), None, 1),
        ((1, 33, 70), scene, 1),
        ((3, 40, 20), scene, 3),
        ((1, 1, 1), None, 2),
        ((1, 720, 700), scene, 1),  # large enough for graphs of its own size
        ((1, 64, 96), scene, 1),
    ]:
        dates = images((n, bands, height, width))
        expected = exact.predict(*dates, statistics, zoom)
        found = tested.predict(*dates, statistics, zoom)
        assert found.shape == (n, 4, height, width)
        np.testing.assert_allclose(found, expected, atol=1e-2)


@pytest.mark.parametrize("name", ENGINES)
def test_the_dates_are_asked_backwards_only_where_they_show_change(name):
    loaded = model()
    head = loaded.network.head[0]

    def asked(both):
        config = replace(loaded.network.config, both_orders=both)
        loaded.network.config = config
        changed = LoadedModel(loaded.network, replace(loaded.card, network=config))
        if name == "torch":
            engine = TorchEngine(loaded.network, changed.card, "cpu")
        else:
            engine = choose.RUNTIMES[name](write_graphs(changed))
        return engine.predict(*images((2, 3, 64, 96)), zoom=1)

    assert np.abs(asked(both=True) - asked(both=False)).max() > 0.05
    with torch.no_grad():
        head.bias[:4] += 30  # none at every pixel
    np.testing.assert_array_equal(asked(both=True), asked(both=False))


@pytest.mark.parametrize("name", ENGINES)
def test_of_a_batch_only_what_shows_change_is_asked_backwards(name):
    loaded = model()
    before, after = images((3, 3, 64, 96))
    before[[0, 2]], after[[0, 2]] = 0.4, 0.4
    scene = Statistics(np.full((2, 3), 0.4), np.full((2, 3), 0.2))
    tensors = [torch.from_numpy(date) for date in (before, after)]
    given = [torch.from_numpy(values.astype(np.float32)) for values in (scene.mean, scene.spread)]
    with torch.inference_mode():
        network = loaded.network
        features = network.encode(*tensors, given)
        there = network.in_order(features)
        odds = (there[:, 1:].logsumexp(dim=1) - there[:, 0]).amax(dim=(1, 2))
        alike, other = float(odds[[0, 2]].max()), float(odds[1])
        assert alike < other
        # Of two dates that are alike too little is said to ask again, of the others enough.
        network.head[0].bias[:4] += (alike + other) / 2 - math.log(0.2 / 0.8)
        there, back = (network.in_order(features, backwards=order) for order in (False, True))
        asked = shows_change(there, 1.0)
        assert asked.tolist() == [False, True, False]
        both = class_probabilities(both_orders(there, back))
        once = class_probabilities(there)
    assert (both - once).abs().amax(dim=(1, 2, 3)).min() > 0.01
    exact = TorchEngine(network, loaded.card, "cpu")
    engine = exact if name == "torch" else choose.RUNTIMES[name](write_graphs(loaded))
    found = engine.predict(before, after, scene, 1)
    for number, expected in enumerate((once, both, once)):
        np.testing.assert_allclose(found[number], expected[number], atol=5e-3)


def test_folding_the_normalisations_changes_nothing():
    loaded = load_weights("site-2m")
    before, after = (torch.from_numpy(date) for date in images((1, 3, 64, 64)))
    with torch.inference_mode():
        expected = loaded.network(before, after)
        found = folded(loaded.network)(before, after)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.shared
@pytest.mark.parametrize("scene", ["levir", "mshs_bcd"])
def test_probabilities_of_real_pairs_agree(shared, scene):
    """Every engine, as it computes here, against the network in float32."""
    record = next(r for r in read_index(shared / "pairs") if (r.set, r.split) == (scene, "val"))
    pair = read_pair(record)
    exact = open_predictor("site-2m", "cpu")
    exact.engine._precision = "float32"
    expected = exact(pair)
    assert expected[1:].max() > 0.5
    for name in ("torch", *(name for name in choose.RUNTIMES if find_spec(name))):
        found = open_predictor("site-2m", "cpu", engine=name)(pair)
        assert np.abs(found - expected).max() < 1e-2, name


@pytest.mark.shared
@pytest.mark.skipif(find_spec("openvino") is None, reason="groundbreak[openvino] is not installed")
@pytest.mark.parametrize(("weights", "scene"), [("site-2m", "levir"), ("area-10m", "mshs_s2")])
def test_the_decoder_in_8_bit_integers_says_nearly_the_same_of_real_pairs(shared, weights, scene):
    record = next(r for r in read_index(shared / "pairs") if (r.set, r.split) == (scene, "val"))
    pair = read_pair(record)
    exact, quick = (open_predictor(weights, "cpu", engine=e) for e in ("openvino", choose.INT8))
    expected = exact(pair)
    for _ in range(2):  # the first answer is of the exact engine, where nothing was compared yet
        found = quick(pair)
    assert "8-bit integers" in quick.engine.description
    off = np.abs(found - expected)
    assert 0 < off.max() < 0.2
    assert off.mean() < 0.005


SCENE = Statistics(np.full((2, 3), 0.5, np.float32), np.full((2, 3), 0.3, np.float32))


@pytest.fixture
def quantised(tmp_path, monkeypatch):
    """Weights with a decoder in 8-bit integers beside them, and the features it is made for."""
    pytest.importorskip("openvino")
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(kept, "_folder", lambda: tmp_path / "kept")
    loaded = model()
    path = tmp_path / "mine.safetensors"
    save_weights(loaded.network, loaded.card, path)
    graphs = load_graphs(str(path))
    dates = images((4, 3, 128, 128))
    engine = open_onnxruntime(graphs)
    statistics = [np.repeat(values[None], 4, axis=0) for values in (SCENE.mean, SCENE.spread)]
    run = engine.parts(dates[0].shape)
    levels = [[np.array(level) for level in run.earlier([date, *statistics])] for date in dates]
    quantised_path(str(path)).write_bytes(quantised_decoder(graphs, [[*levels[0], *levels[1]]]))
    return path


@pytest.mark.parametrize("size", [(128, 128), (64, 96)])
def test_a_quantised_decoder_is_run_by_the_size_of_the_pictures(quantised, size, monkeypatch):
    quick = open_engine(str(quantised), EngineChoice(choose.INT8))
    exact = open_engine(str(quantised), EngineChoice("openvino"))
    dates = images((2, 3, *size), seed=2)
    compiled = []
    plain = runtimes._compiled
    monkeypatch.setattr(
        runtimes, "_compiled", lambda *a, **k: compiled.append(a[2]) or plain(*a, **k)
    )
    monkeypatch.setattr(checked, "SURE", 0.0)  # of a network that was never trained
    first, found, expected = (e.predict(*dates, SCENE, 1) for e in (quick, quick, exact))
    assert np.abs(first - expected).max() < 1e-5  # nothing was compared yet
    assert 0 < np.abs(found - expected).max() < 0.1
    assert compiled == [None, (2, 3, *size), None]


def test_a_quantised_decoder_that_is_off_is_not_used(stubs, caplog):
    wrong, exact = Stub(stubs.card, answer=0.9), Stub(stubs.card, answer=0.5)
    opened = []
    dates = images((2, 3, 60, 60))

    def check(quick):
        return checked.CheckedEngine(quick, lambda: opened.append(1) or exact, "trials/int8.json")

    for run in (1, 2):  # the second one compares again
        engine = check(wrong)
        for _ in range(2):
            assert (engine.predict(*dates, zoom=1) == exact.answer).all()
        assert (opened, wrong.asked) == ([1] * run, [(2, 3, 60, 60)] * run)
    assert "is off by 0.400: not used" in caplog.text


def test_a_quantised_decoder_answers_once_it_has_said_the_same_of_a_change(stubs):
    near, exact = Stub(stubs.card, answer=0.6), Stub(stubs.card, answer=0.49)
    dates = images((2, 3, 60, 60))
    engine = checked.CheckedEngine(near, lambda: exact, "trials/int8.json")
    assert (engine.predict(*dates, zoom=1) == 0.49).all()
    assert near.asked == []  # there is no change to compare
    assert engine.description.endswith("float32 answered, no change was there to compare")
    exact.answer = 0.5
    assert (engine.predict(*dates, zoom=1) == 0.5).all()
    assert (engine.predict(*dates, zoom=1) == np.float32(0.6)).all()
    asked = len(exact.asked)
    again = checked.CheckedEngine(near, lambda: exact, "trials/int8.json")
    assert (again.predict(*dates, zoom=1) == np.float32(0.6)).all()
    assert len(exact.asked) == asked  # it was kept


def test_a_quantised_decoder_of_other_weights_is_refused(quantised):
    beside = quantised_path(str(quantised))
    whole = beside.read_bytes()
    with pytest.raises(WeightsError, match="was made from other weights"):
        load_quantised_beside("site-2m", whole, quantised.parent)
    beside.write_bytes(whole[:500])
    with pytest.raises(WeightsError, match="is no ONNX graph"):
        open_engine(str(quantised), EngineChoice(choose.INT8))
    beside.unlink()
    with pytest.raises(WeightsError, match=r"there is no mine\.int8\.onnx beside it"):
        open_engine(str(quantised), EngineChoice(choose.INT8))


def load_quantised_beside(name, decoder, folder):
    """The decoder of some weights put beside others."""
    for suffix in (".safetensors", ".json"):
        path = find_weights(name).with_suffix(suffix)
        shutil.copy(path, folder / f"other{suffix}")
    (folder / "other.int8.onnx").write_bytes(decoder)
    return load_quantised(str(folder / "other.safetensors"))


def events(run):
    features = json.loads((run / "events.geojson").read_text())["features"]
    return {feature["properties"]["id"]: feature for feature in features}


def assert_same(found, expected):
    assert expected
    assert found.keys() == expected.keys()
    for name, feature in expected.items():
        for key in ("kind", "start_datetime", "end_datetime", "provisional", "flags"):
            assert found[name]["properties"][key] == feature["properties"][key]
        ours, theirs = shape(found[name]["geometry"]), shape(feature["geometry"])
        assert ours.intersection(theirs).area > 0.95 * ours.union(theirs).area


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_events_of_the_demo_agree(tmp_path):
    simulate(tmp_path, 7)
    catalog = tmp_path / "catalog.json"
    write_catalog(scan_folder(tmp_path / "scenes").items, catalog)
    sites, settings = tmp_path / "sites.geojson", DetectConfig().settings()
    job = RunRequest(sites, catalog, tmp_path / "torch", settings, engine="torch")
    run_detect(job)
    for name in choose.RUNTIMES:
        if find_spec(name) is None:
            continue
        run = tmp_path / name
        shutil.copytree(job.run, run)  # the prepared looks
        for made in run.glob("work/*/pairs"):
            shutil.rmtree(made)
        run_detect(replace(job, run=run, engine=name))
        assert_same(events(run), events(job.run))


class Stub:
    """An engine that answers after a while."""

    def __init__(self, card, answer=0.25, seconds=0.0):
        self.card, self.description = card, f"stub {seconds}"
        self.answer, self.seconds, self.asked = answer, seconds, []

    def predict(self, before, after, statistics=None, zoom=None):
        clock.now += self.seconds
        self.asked.append(before.shape)
        return np.full((len(before), 4, *before.shape[2:]), self.answer, np.float32)


class clock:  # noqa: N801
    now = 0.0


@pytest.fixture
def stubs(monkeypatch, tmp_path):
    """PyTorch takes 2 s; which other engines there are is up to the test."""
    loaded = model()
    made = {"torch": Stub(loaded.card, seconds=2.0)}
    made["torch"].device = "cpu"
    monkeypatch.setattr(choose.time, "perf_counter", lambda: clock.now)
    monkeypatch.setattr(choose, "installed", lambda name: name in made)
    monkeypatch.setattr(choose, "load_graphs", lambda _weights: None)
    monkeypatch.setattr(choose, "_trial_name", lambda _card: "trials/stubs.json")
    monkeypatch.setattr(kept, "_folder", lambda: tmp_path)

    def have(**engines):
        made.update(engines)
        runtimes = {name: lambda _graphs, name=name: made[name] for name in engines}
        monkeypatch.setattr(choose, "RUNTIMES", runtimes)
        return AutoEngine(made["torch"], "site-2m", work_px=1e9), made

    have.card = loaded.card
    return have


class TestAuto:
    def test_the_fastest_is_taken_and_it_says_why(self, stubs):
        quick, slow = Stub(stubs.card, seconds=1.0), Stub(stubs.card, seconds=3.0)
        auto, made = stubs(openvino=quick, onnxruntime=slow)
        assert auto.description == "auto, not needed"
        dates = images((4, 3, 600, 700))
        auto.predict(*dates, zoom=1)
        auto.predict(*dates, zoom=1)
        assert quick.asked[-2:] == [(4, 3, 600, 700)] * 2
        assert set(slow.asked) == {(1, 3, 512, 512)}
        assert auto.description.startswith("stub 1.0 (fastest of a trial: openvino 1.000 s, torch")
        assert len(made["torch"].asked) == 1 + choose.TRIAL_ROUNDS

    def test_the_trial_is_as_large_for_the_network_when_it_magnifies(self, stubs):
        auto, made = stubs(openvino=Stub(stubs.card))
        auto.predict(*images((1, 3, 600, 600)), zoom=4)
        assert made["torch"].asked[0] == (1, 3, 128, 128)

    def test_an_engine_that_answers_otherwise_is_not_taken(self, stubs, caplog):
        auto, _ = stubs(openvino=Stub(stubs.card, answer=0.3))
        auto.predict(*images((1, 3, 64, 64)))
        assert "openvino is off by 0.050: not used" in caplog.text
        assert auto.description.startswith("stub 2.0")

    def test_an_engine_that_answers_nothing_is_not_taken(self, stubs, caplog):
        auto, _ = stubs(openvino=Stub(stubs.card, answer=np.nan))
        auto.predict(*images((1, 3, 64, 64)))
        assert "openvino is off by nan: not used" in caplog.text
        assert auto.description.startswith("stub 2.0")

    def test_an_engine_that_fails_is_not_taken(self, stubs, caplog):
        class Broken(Stub):
            def predict(self, *_):
                raise RuntimeError("illegal instruction")

        auto, _ = stubs(openvino=Broken(stubs.card))
        auto.predict(*images((1, 3, 64, 64)))
        assert "openvino failed its trial: illegal instruction" in caplog.text
        assert auto.description.startswith("stub 2.0")

    def test_what_a_trial_found_is_kept(self, stubs, monkeypatch):
        auto, made = stubs(openvino=Stub(stubs.card, seconds=1.0))
        auto.predict(*images((1, 3, 64, 64)))
        monkeypatch.setattr(choose, "surely_cpu", lambda _device: True)
        asked = len(made["torch"].asked)
        again = open_engine("site-2m", EngineChoice("auto", work_px=1.0))
        again.predict(*images((1, 3, 64, 64)))
        assert len(made["torch"].asked) == asked
        assert again.description.startswith("stub 1.0 (fastest of a trial: openvino 1.000 s")
        assert again.description.endswith("in an earlier run)")

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[]", b"{}", b'{"name": "openvino", "why": "fastest"}']
    )
    def test_what_was_kept_and_is_of_no_use(self, stubs, monkeypatch, caplog, content):
        def broken(_graphs):
            raise RuntimeError("illegal instruction")

        _, made = stubs(openvino=Stub(stubs.card))
        monkeypatch.setattr(choose, "RUNTIMES", {"openvino": broken})
        monkeypatch.setattr(choose, "surely_cpu", lambda _device: True)
        monkeypatch.setattr(choose, "open_torch", lambda *_: made["torch"])
        kept.keep("trials/stubs.json", content)
        auto = open_engine("site-2m", EngineChoice("auto", work_px=1e9))
        assert ("does not open: illegal instruction" in caplog.text) == (b"fastest" in content)
        auto.predict(*images((1, 3, 64, 64)))
        assert auto.description == "stub 2.0 (fastest of a trial: torch 2.000 s)"

    def test_little_work_is_not_worth_a_trial(self, stubs):
        auto, made = stubs(openvino=Stub(stubs.card))
        auto._work_px = choose.TRIAL_FROM_PX - 1
        auto.predict(*images((1, 3, 64, 64)))
        assert made["openvino"].asked == []
        assert "too little work" in auto.description

    def test_a_graphics_processor_needs_no_trial(self, stubs):
        auto, made = stubs(openvino=Stub(stubs.card))
        made["torch"].device = "cuda"
        auto.predict(*images((1, 3, 64, 64)))
        assert made["openvino"].asked == []


class TestChoice:
    def test_unknown_engines_are_refused(self):
        with pytest.raises(ConfigError, match="use auto, torch, openvino, onnxruntime"):
            EngineChoice("tensorrt").check()

    def test_a_missing_extra_is_named(self, monkeypatch):
        monkeypatch.setattr(choose, "find_spec", lambda _name: None)
        with pytest.raises(ConfigError, match=r"pip install 'groundbreak\[openvino\]'"):
            open_engine("site-2m", EngineChoice("openvino"))

    def test_runtimes_compute_on_the_cpu_only(self):
        with pytest.raises(ConfigError, match="openvino does not compute on cuda"):
            EngineChoice("openvino", "cuda").check()

    @pytest.mark.parametrize("name", RUNTIMES)
    def test_by_name(self, name):
        opened = open_engine("site-2m", EngineChoice(name, "cpu"))
        assert isinstance(opened, RuntimeEngine)
        assert opened.description.startswith(name)

    def test_the_command_refuses_in_one_line(self, command, tmp_path):
        write_series(tmp_path / "scenes", [{}, {}])
        write_sites(tmp_path / "sites.geojson")
        words = ("--sites", tmp_path / "sites.geojson", "--catalog", tmp_path / "scenes")
        answer = command("detect", *words, "-o", tmp_path / "run", "--engine", "fast")
        assert answer.code == 2
        assert answer.error.startswith("--engine: unknown 'fast'")

    def test_the_run_says_what_computed_it(self, command, engine, tmp_path):
        write_series(tmp_path / "scenes", [{}, {"house": True}])
        write_sites(tmp_path / "sites.geojson")
        (tmp_path / "c.yaml").write_text("engine: torch\n")
        words = ("--sites", tmp_path / "sites.geojson", "--catalog", tmp_path / "scenes")
        answer = command("detect", *words, "-o", tmp_path / "run", "--config", tmp_path / "c.yaml")
        assert answer.code == 0
        record = json.loads((tmp_path / "run" / "run.json").read_text())
        assert record["asked"]["engine"] == "torch"
        assert record["weights"]["site-2m"]["engine"] == engine.description
        assert record["weights"]["area-10m"]["engine"] is None
        item = json.loads((tmp_path / "run" / "item.json").read_text())
        used = {"site-2m": record["weights"]["site-2m"]}
        assert item["properties"]["groundbreak:weights"] == used


@pytest.mark.parametrize("name", RUNTIMES)
def test_the_next_run_takes_the_graphs_that_were_kept_and_no_pytorch(name):
    first = load_graphs("site-2m")
    code = f"""
import sys
from groundbreak.inference.choose import EngineChoice, open_engine
engine = open_engine("site-2m", EngineChoice("{name}"))
assert "torch" not in sys.modules
assert engine.description.startswith("{name}")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert load_graphs("site-2m") == first


def test_graphs_of_weights_without_a_digest_are_not_mixed_up(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(
        graph,
        "write_graphs",
        lambda loaded: written.append(loaded) or graph.Graphs(None, b"e", b"d"),
    )
    for name, change in (("a", 0.0), ("b", 1.0)):
        loaded, path = model(), tmp_path / f"{name}.safetensors"
        with torch.no_grad():
            loaded.network.head[0].bias += change
        save_weights(loaded.network, loaded.card, path)
        card = json.loads(path.with_suffix(".json").read_text())
        path.with_suffix(".json").write_text(json.dumps({**card, "sha256": None}))
    for name in "abab":
        load_graphs(str(tmp_path / f"{name}.safetensors"))
    assert len(written) == 2


def no_home():
    raise RuntimeError("Could not determine home directory.")


@pytest.mark.parametrize("home", ["file", "nothing"])
def test_where_nothing_can_be_kept_graphs_are_written_anew(home, monkeypatch, tmp_path):
    if home == "file":
        (tmp_path / "file").touch()
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    else:
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(kept.Path, "home", no_home)
    made = []
    monkeypatch.setattr(graph, "write_graphs", lambda loaded: made.append(loaded) or GRAPHS)
    for _ in range(2):
        assert load_graphs("site-2m") is GRAPHS
    assert len(made) == 2


GRAPHS = graph.Graphs(None, b"encoder", b"decoder")


def test_processes_share_the_cores(monkeypatch):
    given = []
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    for processes in (3, 100):
        monkeypatch.setenv("OMP_NUM_THREADS", "8")
        device.share_cores(processes)
        given.append(device.threads())
    assert given == [2, 2, 1, 1]


def test_there_are_as_many_threads_as_pytorch_would_take(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    code = "import torch; print(torch.get_num_threads())"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert device.threads() == int(answer.stdout)


def test_writing_graphs_leaves_the_number_of_threads(monkeypatch):
    counts = []
    threads = torch.get_num_threads()
    monkeypatch.setattr(graph, "_traced", lambda *_: counts.append(torch.get_num_threads()) or b"")
    torch.set_num_threads(2)
    try:
        write_graphs(model())
        assert counts == [1, 1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_engines_are_closed_before_the_report(monkeypatch):
    opened = []
    monkeypatch.setattr(tasks, "open_engine", lambda *_: opened.append(0))
    monkeypatch.setattr(tasks, "do_site", lambda task, _tell: tasks._engine(task, "cpu"))
    for _ in range(2):
        list(tasks.run_tasks(["site-2m", "site-2m"], "local", lambda *_: None))
    assert len(opened) == 2
