"""The rasteriser for PyTorch: values, gradients, what it refuses; and the two examples that fit a photo.

Whatever needs PyTorch is skipped where that is not installed.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from raster_scenes import blobs, random_scene, scene

from layervec import raster
from layervec.raster import reference

pytestmark = pytest.mark.models

EXAMPLES = Path(__file__).parents[2] / "examples"
WIDTH, HEIGHT = 24, 18


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed: pip install layervec[models]")


def tensors(torch, drawn, dtype="float64", device="cpu"):
    """Return points and paints of a scene as leaves that ask for gradients."""
    return tuple(
        torch.tensor(values, dtype=getattr(torch, dtype), device=device, requires_grad=True)
        for values in (drawn.points, drawn.paints)
    )


def draw(drawn, points, paints, **options):
    from layervec.raster.torch import render

    given = {"contours": drawn.contours, "paths": drawn.paths, "even_odd": drawn.even_odd} | options
    return render(points, paints, **{"width": WIDTH, "height": HEIGHT} | given)


def curved(translucent=True):
    """Return two overlapping blobs off the pixel grid, the kind of scene whose picture has smooth derivatives."""
    angles = np.arange(9) * (2 * np.pi / 9)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    paths = [[ring * 6.3 + (9.1, 8.2)], [ring * 5.2 + (14.3, 9.4)]]
    alphas = (0.8, 0.6) if translucent else (1.0, 1.0)
    return scene(paths, [(0.9, 0.2, 0.4, alphas[0]), (0.1, 0.6, 0.3, alphas[1])])


def test_without_torch_the_import_names_the_extra():
    code = "import sys; sys.modules['torch'] = None; import layervec.raster.torch"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert found.stderr.splitlines()[-1] == "ImportError: " + (
        "layervec.raster.torch needs PyTorch: pip install layervec[models]"
    )


@pytest.mark.parametrize("translucent", [True, False])
def test_gradcheck(torch, translucent):
    drawn = curved(translucent)
    rows, columns = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    waves = torch.stack([torch.sin(0.11 * (k + 1) * rows + 0.13 * (4 - k) * columns) for k in range(4)], dim=-1)

    def smooth(points, paints):
        # Sums over the picture: single pixels have kinks wherever an edge meets the corner of one.
        image = draw(drawn, points, paints, tolerance=1e-3)
        return (waves * image).sum(dim=(0, 1))

    assert torch.autograd.gradcheck(smooth, tensors(torch, drawn), eps=1e-2, atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("background", [None, (0.2, 0.9, 0.4), (0.2, 0.9, 0.4, 0.5)])
def test_value_and_gradient_match_the_oracle(torch, dtype, background):
    drawn = random_scene(3, 6, WIDTH, HEIGHT)
    points, paints = tensors(torch, drawn, dtype)
    upstream = np.random.default_rng(3).normal(size=(HEIGHT, WIDTH, 4))
    image = draw(drawn, points, paints, background=background)
    image.backward(torch.tensor(upstream, dtype=image.dtype))

    *colour, alpha = (*(background or (0, 0, 0, 0)), 1)[:4]
    ground = alpha * np.array([*colour, 1])
    wanted = reference.render(drawn, WIDTH, HEIGHT)
    by_image = upstream.copy()
    by_image[..., 3] -= (upstream * ground).sum(axis=2)
    slopes = reference.gradients(drawn, WIDTH, HEIGHT, by_image)
    assert image.shape == (HEIGHT, WIDTH, 4)
    assert np.abs(image.detach().numpy() - wanted - (1 - wanted[..., 3:]) * ground).max() <= 2e-6
    for values, gradient in ((points, slopes.points), (paints, slopes.paints)):
        assert values.grad.dtype == values.dtype == image.dtype == getattr(torch, dtype)
        assert np.abs(values.grad.numpy() - gradient).max() <= 1e-5 * np.abs(gradient).max()


def test_a_background_colour_gets_its_gradient(torch):
    drawn = curved()
    ground = torch.tensor([0.2, 0.9, 0.4], dtype=torch.float64, requires_grad=True)
    draw(drawn, *tensors(torch, drawn), background=ground).sum().backward()
    clear = 1 - draw(drawn, *tensors(torch, drawn))[..., 3].detach()
    assert torch.allclose(ground.grad, clear.sum().expand(3))


def test_a_background_picture_gets_its_gradient(torch):
    drawn = curved()
    ground = torch.rand(HEIGHT, WIDTH, 4, dtype=torch.float64, requires_grad=True)
    image = draw(drawn, *tensors(torch, drawn), background=ground)
    image.sum().backward()
    clear = 1 - draw(drawn, *tensors(torch, drawn))[..., 3].detach()
    assert torch.allclose(ground.grad[..., 0], clear * ground[..., 3])
    assert torch.allclose(ground.grad[..., 3], clear * (ground[..., :3].sum(dim=-1) + 1))


def test_structure_may_be_left_to_the_defaults_or_be_tensors(torch):
    drawn = curved()
    points, paints = tensors(torch, drawn)
    plain = draw(drawn, points, paints, contours=[0, 9, 18], paths=None, even_odd=False)
    given = draw(drawn, points, paints, contours=torch.tensor([0, 9, 18]), even_odd=torch.tensor([False, False]))
    assert torch.equal(plain, given)
    assert np.array_equal(plain.detach().float(), raster.render(drawn, WIDTH, HEIGHT))
    both = draw(drawn, points, paints[:1], paths=[0, 2], even_odd=True)  # one path of two contours, with a hole
    assert both[9, 11, 3] < 0.1 < both[9, 5, 3]


def test_only_what_asks_for_a_gradient_gets_one(torch):
    drawn = curved()
    points, paints = tensors(torch, drawn)
    draw(drawn, points, paints.detach()).sum().backward()
    assert points.grad is not None
    assert not draw(drawn, points.detach(), paints.detach()).requires_grad
    with torch.no_grad():
        assert not draw(drawn, points, paints).requires_grad


def test_an_optimiser_may_write_into_the_tensors_before_going_back(torch):
    drawn = curved()
    points, paints = tensors(torch, drawn, "float32")
    draw(drawn, points, paints).square().sum().backward()
    wanted, points.grad = points.grad, None
    image = draw(drawn, points, paints)
    with torch.no_grad():
        points += 1
    image.square().sum().backward()
    assert torch.equal(points.grad, wanted)


def test_other_devices_and_back(torch):
    if not torch.cuda.is_available():
        pytest.skip("PyTorch sees no device but the CPU")
    drawn = curved()
    points, paints = tensors(torch, drawn, "float32", "cuda")
    image = draw(drawn, points, paints, background=(1, 1, 1))
    image.square().sum().backward()
    near = tensors(torch, drawn, "float32")
    draw(drawn, *near, background=(1, 1, 1)).square().sum().backward()
    assert {image.device, points.grad.device, paints.grad.device} == {points.device}
    assert torch.allclose(points.grad.cpu(), near[0].grad, atol=1e-5)


def test_going_back_twice_is_refused(torch):
    drawn = curved()
    points, paints = tensors(torch, drawn)
    (slope,) = torch.autograd.grad(draw(drawn, points, paints).square().sum(), points, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.square().sum().backward()


def test_ten_threads_may_draw_and_go_back_at_once(torch):
    from concurrent.futures import ThreadPoolExecutor

    drawn = blobs(4, 20, WIDTH, HEIGHT)

    def fit(_):
        points, paints = tensors(torch, drawn, "float32")
        draw(drawn, points, paints, threads=2).square().sum().backward()
        return points.grad.numpy().tobytes() + paints.grad.numpy().tobytes()

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(fit, range(20)))) == 1


def test_a_fit_lowers_the_loss(torch):
    target = draw(curved(), *tensors(torch, curved(), "float32")).detach()
    points, paints = tensors(torch, curved(), "float32")
    with torch.no_grad():
        points += torch.tensor([1.5, -1.0])
        paints.mul_(0.7)
    optimiser = torch.optim.Adam([{"params": [points], "lr": 0.2}, {"params": [paints], "lr": 0.05}])
    losses = []
    for _ in range(40):
        loss = torch.nn.functional.mse_loss(draw(curved(), points, paints), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.05 * losses[0]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"points": np.zeros((18, 2))}, TypeError, "points must be a torch.Tensor, not ndarray"),
        ({"paints": "half"}, TypeError, "paints must be float32 or float64, not torch.float16"),
        ({"paints": "float"}, TypeError, "points and paints must have one type"),
        ({"contours": [0.0, 9.0, 18.0]}, TypeError, "contours must hold integers"),
        ({"paths": [True, False]}, TypeError, "paths must hold integers"),
        ({"points": (6, 3)}, ValueError, "points must have shape"),
        ({"paints": (2, 3)}, ValueError, "paints must have shape"),
        ({"paints": (3, 4)}, ValueError, "one row for each of the 2 paths"),
        ({"contours": [0, 9]}, ValueError, "contours must run from 0 to 18"),
        ({"contours": [0, 8, 18]}, ValueError, "divisible by 3"),
        ({"paths": [0, 3]}, ValueError, "paths must run from 0 to 2"),
        ({"even_odd": [True]}, ValueError, "one row for each"),
        ({"width": 0}, ValueError, "canvas"),
        ({"threads": 0}, ValueError, "threads"),
        ({"tolerance": 0.0}, ValueError, "tolerance"),
        ({"background": (1.0, 1.0)}, ValueError, "background must have shape"),
        ({"background": np.zeros((3, HEIGHT, WIDTH))}, ValueError, "background must have shape"),
        ({"background": 1.0}, ValueError, "background must have shape"),
    ],
)
def test_what_is_wrong_is_said(torch, change, error, message):
    points, paints = tensors(torch, curved())
    given = {"points": points, "paints": paints}
    for name, value in change.items():
        if name in given and isinstance(value, str):
            given[name] = getattr(given[name], value)()
        elif name in given and isinstance(value, tuple):
            given[name] = torch.zeros(value, dtype=torch.float64)
        else:
            given[name] = value
    with pytest.raises(error, match=message):
        draw(curved(), **given)


@pytest.mark.parametrize("name", ["fit_photo_numpy", "fit_photo_torch"])
def test_the_examples_improve_their_fit(name, request):
    if name == "fit_photo_torch":
        request.getfixturevalue("torch")
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    before, after = module.main(20)
    assert after > before + 3
