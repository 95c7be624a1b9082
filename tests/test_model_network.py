"""The network: shapes, the swap of the dates, normalisation."""

import math

import numpy as np
import pytest
import torch

from groundbreak.inference import runtimes
from groundbreak.inference.runtimes import probabilities
from groundbreak.model.network import (
    NetworkConfig,
    SiameseUNet,
    both_orders,
    class_probabilities,
    measure,
    pad_to_stride,
    shows_change,
    standardise,
    swap_classes,
)

SMALL = {"fused": (8, 8, 8, 8, 16), "decoder": (16, 8, 8, 8)}


@pytest.fixture(scope="module")
def network() -> SiameseUNet:
    torch.manual_seed(0)
    return SiameseUNet(NetworkConfig(bands=3, **SMALL)).eval()


def dates(n: int = 2, bands: int = 3, height: int = 64, width: int = 96) -> list[torch.Tensor]:
    torch.manual_seed(1)
    return [torch.rand(n, bands, height, width) * 0.9 + 0.05 for _ in range(2)]


def test_shapes(network: SiameseUNet) -> None:
    assert network(*dates()).shape == (2, 4, 64, 96)
    four = SiameseUNet(NetworkConfig(bands=4, standardise="date", **SMALL)).eval()
    assert four(*dates(bands=4)).shape == (2, 4, 64, 96)


def test_swapping_the_dates_swaps_new_and_demolition(network: SiameseUNet) -> None:
    before, after = dates()
    with torch.inference_mode():
        there = network(before, after)
        back = network(after, before)
    torch.testing.assert_close(there[:, :3], swap_classes(back)[:, :3], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(there[:, 1], there[:, 2])


def test_one_order_is_half_of_both() -> None:
    torch.manual_seed(0)
    both = SiameseUNet(NetworkConfig(**SMALL)).eval()
    one = SiameseUNet(NetworkConfig(both_orders=False, **SMALL)).eval()
    one.load_state_dict(both.state_dict())
    before, after = dates()
    with torch.inference_mode():
        features = both.encode(before, after)
        there, back = (both.in_order(features, backwards=order) for order in (False, True))
        torch.testing.assert_close(one(before, after), there)
        torch.testing.assert_close(one(after, before), back, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(both(before, after), both_orders(there, back))
    assert not torch.allclose(both(before, after), there)


def test_a_window_shows_change_where_any_kind_at_any_pixel_is_likely_enough() -> None:
    logits = torch.zeros(4, 5, 3, 2)
    logits[:, 0] = 40.0
    for pair, total in ((1, 0.21), (2, 0.19)):  # shared by two kinds at one pixel
        logits[pair, [1, 4], 2, 1] = 40.0 + 2.0 * math.log(total / 2 / (1 - total))
    logits[3, 2] = 90.0
    assert shows_change(logits, 2.0).tolist() == [False, True, False, True]
    assert runtimes.shows_change(logits.numpy(), 2.0).tolist() == [False, True, False, True]
    told = 1 - class_probabilities(logits, 2.0)[:, 0].amax(dim=(1, 2))
    assert told.min() >= 0


def test_a_fifth_class_is_shared_out_between_the_kinds_of_buildings() -> None:
    network = SiameseUNet(NetworkConfig(other=True, **SMALL)).eval()
    before, after = dates()
    with torch.inference_mode():
        there, back = network(before, after), network(after, before)
    assert there.shape == (2, 5, 64, 96)
    order = [0, 1, 2, 4]
    torch.testing.assert_close(there[:, order], swap_classes(back)[:, order], rtol=1e-4, atol=1e-5)
    logits = torch.tensor([0.4, 0.2, 0.1, 0.1, 0.2]).log().reshape(1, 5, 1, 1)
    told = class_probabilities(logits).flatten().tolist()
    assert told == pytest.approx([0.4, 0.2, 0.1, 0.1])  # two thirds are not clear
    clear = torch.tensor([0.4, 0.05, 0.2, 0.1, 0.25]).log().reshape(1, 5, 1, 1)
    told = class_probabilities(clear).flatten().tolist()
    assert told == pytest.approx([0.4, 0.05, 0.2 + 0.25 * 0.8, 0.1])
    np.testing.assert_allclose(
        probabilities(clear.numpy(), 1.0), class_probabilities(clear).numpy(), atol=1e-6
    )
    colder = class_probabilities(logits, temperature=2.0)
    np.testing.assert_allclose(probabilities(logits.numpy(), 2.0), colder.numpy(), atol=1e-6)
    far = torch.tensor([0.0, -200.0, 90.0, 0.0, 0.0]).reshape(1, 5, 1, 1)
    np.testing.assert_allclose(
        probabilities(far.numpy(), 1.0), class_probabilities(far).numpy(), atol=1e-6
    )


def test_a_berth_is_told_by_the_order_asked_for() -> None:
    forwards = torch.tensor([0.1, 0.1, 0.1, 0.7]).log().reshape(1, 4, 1, 1)
    backwards = torch.tensor([0.9, 0.06, 0.03, 0.01]).log().reshape(1, 4, 1, 1)
    told = class_probabilities(both_orders(forwards, backwards)).flatten().tolist()
    assert told[3] == pytest.approx(0.7)
    rest = [(0.1 * other) ** 0.5 for other in (0.9, 0.03, 0.06)]
    assert told[:3] == pytest.approx([0.3 * value / sum(rest) for value in rest])
    filled_in = class_probabilities(both_orders(backwards, forwards)).flatten().tolist()
    assert filled_in[3] == pytest.approx(0.01)


def test_the_brightness_of_the_encoding_does_not_matter(network: SiameseUNet) -> None:
    before, after = dates()
    with torch.inference_mode():
        torch.testing.assert_close(
            network(before, after), network(before * 0.3, after * 0.3), rtol=1e-3, atol=1e-3
        )


def test_each_date_by_itself_forgets_haze() -> None:
    before, after = dates()
    hazed = after * 0.5 + 0.3
    _, plain = standardise(before, after, measure(before, after), "date")
    _, through = standardise(before, hazed, measure(before, hazed), "date")
    torch.testing.assert_close(plain, through, rtol=0.1, atol=0.1)
    assert plain.mean().abs() < 1e-4
    assert plain.std() == pytest.approx(1, abs=0.1)


def test_both_dates_together_keep_their_difference() -> None:
    before, after = dates()
    after = after * 0.5
    first, second = standardise(before, after, measure(before, after), "pair")
    assert first.mean() > 0.5 > -0.5 > second.mean()


def test_pixels_without_data_become_the_mean_and_count_for_nothing() -> None:
    before, after = dates(n=1)
    whole, _ = standardise(before, after, measure(before, after), "date")
    holed = before.clone()
    holed[..., :16] = 0
    mean, spread = measure(holed, after)
    torch.testing.assert_close(mean[0, 0], before[0, :, :, 16:].mean(dim=(1, 2)))
    result, _ = standardise(holed, after, (mean, spread), "date")
    assert (result[..., :16] == 0).all()
    assert whole.shape == result.shape


def test_statistics_of_the_scene_make_windows_alike(network: SiameseUNet) -> None:
    before, after = dates(n=1, height=128, width=128)
    statistics = tuple(values[0] for values in measure(before, after))
    with torch.inference_mode():
        torch.testing.assert_close(
            network(before, after), network(before, after, statistics), rtol=1e-3, atol=1e-3
        )


def test_the_error_names_the_size_that_fits(network: SiameseUNet) -> None:
    with pytest.raises(ValueError, match=r"pad to \(64, 32\)"):
        network(torch.zeros(1, 3, 50, 32), torch.zeros(1, 3, 50, 32))
    with pytest.raises(ValueError, match="of one shape"):
        network(torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 64, 32))
    with pytest.raises(ValueError, match=r"expected \(n, 3, h, w\)"):
        network(torch.zeros(1, 4, 32, 32), torch.zeros(1, 4, 32, 32))


@pytest.mark.parametrize("size", [(52, 52), (32, 33), (3, 70)])
def test_padding(size: tuple[int, int]) -> None:
    image = torch.rand(1, 3, *size)
    padded, crop = pad_to_stride(image)
    assert crop == size
    assert all(side % 32 == 0 for side in padded.shape[2:])
    torch.testing.assert_close(padded[..., : size[0], : size[1]], image)


def test_every_parameter_learns() -> None:
    network = SiameseUNet(NetworkConfig(**SMALL))
    network(*dates()).square().mean().backward()
    idle = [name for name, p in network.named_parameters() if p.grad is None]
    assert not idle
