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
from raster_scenes import blobs, random_scene, scene, shaded, strokes

from layervec import raster
from layervec.raster import reference

pytestmark = pytest.mark.models

EXAMPLES = Path(__file__).parents[2] / "examples"
WIDTH, HEIGHT = 24, 18


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[models]'")


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
        "layervec.raster.torch needs PyTorch: pip install '.[models]'"
    )


@pytest.mark.parametrize("translucent", [True, False])
def test_gradcheck(torch, translucent):
    drawn = curved(translucent)

    def smooth(points, paints):
        return (waves(torch) * draw(drawn, points, paints, tolerance=1e-3)).sum(dim=(0, 1))

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


def tensor_ramps(torch, drawn, dtype="float64"):
    """Return the gradients of a scene with leaves that ask for gradients."""
    from layervec.raster.torch import Ramps

    parts = (drawn.ramps.axis, drawn.ramps.offsets, drawn.ramps.colours)
    leaves = (torch.tensor(values, dtype=getattr(torch, dtype), requires_grad=True) for values in parts)
    return Ramps(torch.tensor(drawn.ramps.kind), *leaves)


def waves(torch):
    """Return smooth weights for sums over the picture: single pixels have kinks where an edge meets their corner."""
    rows, columns = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    return torch.stack([torch.sin(0.11 * (k + 1) * rows + 0.13 * (4 - k) * columns) for k in range(4)], dim=-1)


@pytest.mark.parametrize("kinds", [(1, 2), (2, 1), (0, 1)])
def test_gradcheck_of_gradients(torch, kinds):
    from layervec.raster.torch import Ramps

    drawn = curved()
    # Ends beyond the shapes, and no bend at the stops: a pixel that passes one has a kink.
    axis = [(1.2, 2.1, 22.3, 15.4) if kind == 1 else (11.3, 9.2, 25.1, 0.0) for kind in kinds]
    offsets = torch.tensor([(0.0, 1.0, 1.0, 1.0)] * 2, dtype=torch.float64)
    leaves = [torch.tensor(axis, dtype=torch.float64), torch.rand(2, 4, 3, dtype=torch.float64)]
    for leaf in leaves:
        leaf.requires_grad_()

    def smooth(points, paints, axis, colours):
        ramps = Ramps(torch.tensor(kinds), axis, offsets, colours)
        return (waves(torch) * draw(drawn, points, paints, ramps=ramps, tolerance=1e-3)).sum(dim=(0, 1))

    inputs = (*tensors(torch, drawn), *leaves)
    assert torch.autograd.gradcheck(smooth, inputs, eps=1e-2, atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("seed", [3, 4])
def test_gradients_match_the_oracle_in_value_and_slope(torch, dtype, seed):
    drawn = shaded(random_scene(seed, 6, WIDTH, HEIGHT), seed, WIDTH, HEIGHT)
    points, paints = tensors(torch, drawn, dtype)
    ramps = tensor_ramps(torch, drawn, dtype)
    upstream = np.random.default_rng(seed).normal(size=(HEIGHT, WIDTH, 4))
    image = draw(drawn, points, paints, ramps=ramps)
    image.backward(torch.tensor(upstream, dtype=image.dtype))
    assert np.abs(image.detach().numpy() - reference.render(drawn, WIDTH, HEIGHT)).max() <= 2e-5
    wanted = reference.gradients(drawn, WIDTH, HEIGHT, upstream)
    pairs = [(points, wanted.points), (paints, wanted.paints), (ramps.axis, wanted.axis)]
    for values, slope in [*pairs, (ramps.offsets, wanted.offsets), (ramps.colours, wanted.colours)]:
        assert values.grad.dtype == getattr(torch, dtype)
        assert np.abs(values.grad.numpy() - slope).max() <= 1e-4 * np.abs(slope).max()


def test_a_fit_finds_the_colours_and_the_axis_of_a_gradient(torch):
    drawn = shaded(curved(translucent=False), 1, WIDTH, HEIGHT)
    points, paints = (values.detach() for values in tensors(torch, drawn, "float32"))
    target = draw(drawn, points, paints, ramps=tensor_ramps(torch, drawn, "float32")).detach()
    start = tensor_ramps(torch, drawn, "float32")
    with torch.no_grad():
        start.axis.add_(torch.tensor([2.0, -1.0, 1.5, 0.0]))
        start.colours.fill_(0.5)
    ways = [{"params": [start.axis], "lr": 0.2}, {"params": [start.colours], "lr": 0.05}]
    optimiser, losses = torch.optim.Adam(ways), []
    for _ in range(60):
        loss = torch.nn.functional.mse_loss(draw(drawn, points, paints, ramps=start), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.02 * losses[0]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"kind": [1, 3]}, ValueError, "0, 1 or 2"),
        ({"kind": [1]}, ValueError, "each of the 2 paths"),
        ({"kind": [1.0, 2.0]}, TypeError, "ramps.kind must hold integers"),
        ({"axis": [[0.0] * 4] * 2}, TypeError, "ramps.axis must be a torch.Tensor"),
        ({"axis": (2, 3)}, ValueError, "ramps.axis must have shape"),
        ({"colours": (2, 4)}, ValueError, "ramps.colours must have shape"),
        ({"offsets": "float"}, TypeError, "points and ramps.offsets must have one type"),
    ],
)
def test_malformed_ramps_are_refused(torch, change, error, message):
    from dataclasses import replace

    drawn = shaded(curved(), 1, WIDTH, HEIGHT)
    ramps = tensor_ramps(torch, drawn)
    for name, value in change.items():
        if value == "float":
            value = getattr(ramps, name).float()
        elif isinstance(value, tuple):
            value = torch.zeros(value, dtype=torch.float64)
        ramps = replace(ramps, **{name: value})
    with pytest.raises(error, match=message):
        draw(drawn, *tensors(torch, drawn), ramps=ramps)


def lines(torch):
    """Return points, widths and structure of two strokes, one open and one closed."""
    points = [(4, 12), (8, 2), (11, 2), (13, 8), (15, 14), (19, 15), (21, 5)]
    points += [(6, 9), (9, 5), (14, 6), (15, 11), (14, 15), (8, 14)]
    given = strokes([[points[:7]], [points[7:]]], [2.5, 1.5])
    points, widths = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (given.points, given.widths))
    return given, points, widths, {"lines": given.lines, "closed": torch.tensor(given.closed)}


def test_gradcheck_of_outlines(torch):
    from layervec.raster.torch import outline_strokes

    _, points, widths, structure = lines(torch)
    for style in ({}, {"join": "round", "cap": "round"}, {"join": ["bevel", "round"], "cap": "square"}):

        def points_of(points, widths, style=style):
            return outline_strokes(points, widths, **structure, **style).points

        assert torch.autograd.gradcheck(points_of, (points, widths), eps=1e-7, atol=1e-5)


def test_outlines_are_those_of_numpy_and_draw(torch):
    from layervec.raster.torch import outline_strokes, render

    given, points, widths, structure = lines(torch)
    outlines = outline_strokes(points, widths, **structure, join="round", cap="round")
    wanted, _ = raster.outline_strokes(
        strokes([[given.points[:7]], [given.points[7:]]], [2.5, 1.5], join="round", cap="round")
    )
    assert np.array_equal(outlines.points.detach().numpy().astype(np.float32), wanted.points)
    paints = torch.tensor(wanted.paints, dtype=torch.float64)
    structure = {"contours": outlines.contours, "paths": outlines.paths}
    image = render(outlines.points, paints, **structure, width=WIDTH, height=HEIGHT)
    assert np.array_equal(image.detach().float().numpy(), raster.render(wanted, WIDTH, HEIGHT))
    image[..., 3].sum().backward()
    assert (widths.grad > 10).all()  # about their lengths


def test_malformed_strokes_are_refused(torch):
    from layervec.raster.torch import outline_strokes

    _, points, widths, structure = lines(torch)
    with pytest.raises(TypeError, match=r"widths must be a torch\.Tensor"):
        outline_strokes(points, [1.0, 2.0], **structure)
    with pytest.raises(TypeError, match="points and widths must have one type"):
        outline_strokes(points, widths.float(), **structure)
    with pytest.raises(ValueError, match="widths must have shape"):
        outline_strokes(points, widths[None], **structure)
    with pytest.raises(ValueError, match="widths"):
        outline_strokes(points, widths[:1], **structure)
    with pytest.raises(ValueError, match="at least 1"):
        outline_strokes(points, widths, lines=structure["lines"])


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
