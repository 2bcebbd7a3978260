"""The segmenter of two ONNX files: with a tiny pair made here, and with MobileSAM where it lies beside the project.

The tiny encoder averages the picture down; the tiny decoder answers a point with the pixels whose colour is near that
at the point. Its `masks` output, the step that must never run, is a reshape that fails.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pictures import raster

from layervec import InputError, Settings, cli, models, simplify, svg, tree
from layervec.image import save_png
from layervec.models.onnx_file import with_outputs
from layervec.models.prompts import Questions, candidates
from layervec.models.sam_onnx import SamOnnx

onnx = pytest.importorskip("onnx", reason="the package onnx, which makes the tiny models, is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime, of the extra onnx, is not installed")

SIDE, LOW = 64, 16  # px, of the encoder's input and of the decoder's masks
SIZE = (48, 64)
MOBILE_SAM = Path(__file__).parents[2] / "shared" / "models" / "mobile_sam"


def save(path, nodes, inputs, outputs, constants):
    helper = onnx.helper
    floats = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(kind, take, [give], **how) for kind, take, give, how in nodes],
        "tiny",
        [helper.make_tensor_value_info(name, floats, shape) for name, shape in inputs],
        [helper.make_tensor_value_info(name, floats, shape) for name, shape in outputs],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))


def save_encoder(path, shape=(1, 3, SIDE, SIDE), kind="AveragePool"):
    pool = {"kernel_shape": [SIDE // LOW] * 2, "strides": [SIDE // LOW] * 2}
    save(path, [(kind, ["images"], "image_embeddings", pool)], [("images", shape)], [("image_embeddings", None)], {})


def save_decoder(path, batch="batch", masks=4, leave_out=()):
    """Thresholds rise from mask to mask; the first of four, which must not be used, is everything."""
    thresholds = np.array([99.0, 0.5, 0.52, 0.54][-masks:], np.float32).reshape(1, masks, 1, 1)
    nodes = [
        ("Slice", ["point_coords", "0", "1", "1"], "first", {}),
        ("Squeeze", ["first", "1"], "point", {}),
        ("Div", ["point", "step"], "cell", {}),
        ("Cast", ["cell"], "whole", {"to": onnx.TensorProto.INT64}),
        ("Mul", ["whole", "stride"], "parts", {}),
        ("ReduceSum", ["parts", "1"], "index", {"keepdims": 0}),
        ("Reshape", ["image_embeddings", "flat"], "pixels", {}),
        ("Gather", ["pixels", "index"], "columns", {"axis": 1}),
        ("Transpose", ["columns"], "colours", {"perm": [1, 0]}),
        ("Unsqueeze", ["colours", "23"], "there", {}),
        ("Sub", ["image_embeddings", "there"], "offset", {}),
        ("Abs", ["offset"], "apart", {}),
        ("ReduceSum", ["apart", "1"], "distance", {"keepdims": 1}),
        ("Sub", ["thresholds", "distance"], "margin", {}),
        ("Mul", ["margin", "sharpness"], "steep", {}),
        ("Clip", ["steep", "least", "most"], "low_res_masks", {}),
        ("ReduceMean", ["low_res_masks"], "mean", {"axes": [2, 3], "keepdims": 0}),
        ("Mul", ["mean", "zero"], "nothing", {}),
        ("Add", ["nothing", "quality"], "iou_predictions", {}),
        ("Reshape", ["low_res_masks", "impossible"], "masks", {}),
    ]
    constants = {
        "0": np.array([0]), "1": np.array([1]), "23": np.array([2, 3]), "flat": np.array([3, LOW * LOW]),
        "step": np.float32(SIDE // LOW), "stride": np.array([1, LOW]), "thresholds": thresholds,
        "sharpness": np.float32(50),
        "least": np.float32(-5), "most": np.float32(5), "zero": np.float32(0), "impossible": np.array([7]),
        "quality": np.linspace(0.9, 0.99, masks, dtype=np.float32),
    }  # fmt: skip
    inputs = [
        ("image_embeddings", (1, 3, LOW, LOW)),
        ("point_coords", (batch, 2, 2)),
        ("point_labels", (batch, 2)),
        ("mask_input", (1, 1, LOW, LOW)),
        ("has_mask_input", (1,)),
        ("orig_im_size", (2,)),
    ]
    outputs = [("masks", None), ("iou_predictions", None), ("low_res_masks", None)]
    save(path, nodes, [entry for entry in inputs if entry[0] not in leave_out], outputs, constants)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    save_encoder(folder / "encoder.onnx")
    save_decoder(folder / "decoder.onnx")
    return folder


def scene():
    """Blocks whose borders are those of the decoder's pixels, and where they lie."""
    picture = np.full((*SIZE, 3), 0.9, np.float32)
    places = {"left": np.s_[8:40, 8:24], "right": np.s_[8:24, 36:56], "low": np.s_[28:44, 32:60]}
    for colour, place in zip(([0.8, 0.1, 0.1], [0.1, 0.6, 0.2], [0.1, 0.2, 0.8]), places.values(), strict=True):
        picture[place] = colour
    return picture, places


def found_in(folder, picture, **how):
    source = raster(picture)
    return SamOnnx(folder, **how).masks(simplify.classic(source, 3))


def check_finds_all(found):
    _, places = scene()
    for place in places.values():
        block = np.zeros(SIZE, dtype=bool)
        block[place] = True
        assert sum(np.array_equal(mask.pixels, block) for mask in found) == 1


def test_finds_each_object_once_to_the_pixel(pair):
    found = found_in(pair, scene()[0])
    check_finds_all(found)
    assert len(found) == 4  # and what is around them
    assert all(0.82 <= mask.score <= 1.0 and mask.level == 0 and mask.label == "" for mask in found)
    assert [mask.score for mask in found] == sorted([mask.score for mask in found], reverse=True)


@pytest.mark.parametrize(("batch", "masks"), [(1, 4), ("batch", 3), (1, 1)])
def test_other_decoders_of_the_signature(tmp_path, batch, masks):
    save_encoder(tmp_path / "encoder.onnx")
    save_decoder(tmp_path / "decoder.onnx", batch, masks)
    check_finds_all(found_in(tmp_path, scene()[0]))


def test_same_masks_on_any_number_of_threads(pair):
    first, second = (found_in(pair, scene()[0], threads=threads) for threads in (1, 2))
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)
        assert a.score == b.score


@pytest.mark.parametrize("shape", [(1, 1), (2, 40), (40, 2)])
def test_pictures_of_any_shape(pair, shape):
    for mask in found_in(pair, np.random.default_rng(0).random((*shape, 3)).astype(np.float32)):
        assert mask.pixels.shape == shape


def test_every_level_is_looked_at_if_asked_for(pair):
    picture, places = scene()
    flat = np.full((*SIZE, 3), 0.9, np.float32)
    flat[places["low"]] = [0.1, 0.2, 0.8]  # all that the coarser level has left
    levels, told = [raster(picture), raster(flat)], []
    found = SamOnnx(pair, every_level=True, threads=1, on_progress=told.append).masks(levels)
    assert {mask.level for mask in SamOnnx(pair, threads=1).masks(levels)} == {0}
    assert told == sorted(told)
    assert 0 <= told[0] < 0.5 < told[-1] < 1
    for number, names in ((0, places), (1, ["low"])):
        for name in names:
            assert any(mask.level == number and exactly(mask, places[name]) for mask in found)
    assert not any(mask.level == 1 and mask.pixels[12, 12] and not mask.pixels[2, 2] for mask in found)


def exactly(mask, place):
    inside = np.zeros(SIZE, dtype=bool)
    inside[place] = True
    return np.array_equal(mask.pixels, inside)


def test_command_draws_the_objects_found(pair, tmp_path):
    save_png(tmp_path / "picture.png", scene()[0])
    words = ["vectorize", str(tmp_path / "picture.png"), "--quality", "draft", "--paths", "8", "--quiet"]
    assert cli.main([*words, "--segmenter", "sam", "--segmenter-model", str(pair)]) == cli.DONE
    drawing = svg.read((tmp_path / "picture.svg").read_text())
    assert sum(layer.thing == "object" for layer in drawing.root.layers()) >= 3
    assert drawing.metadata["settings"]["segmenter_model"] == pair.name


def test_points_are_not_asked_twice_nor_where_masks_answer():
    picture = raster(scene()[0])
    points, areas = candidates(tree.build(picture, simplify.classic(picture, 3)))
    questions = Questions(points, areas, picture)
    first = questions.next(1)
    everywhere = np.ones((1, 12, 16), dtype=bool)
    questions.answer(everywhere[:, :6, :8])  # of the whole picture, at any size
    open_still = questions.next(100)
    assert len(np.unique(np.concatenate([first, open_still]), axis=0)) == questions.asked == 1 + len(open_still)
    answered = Questions(points, np.full(len(areas), float(picture.width * picture.height)), picture)
    answered.answer(everywhere)
    assert len(answered.next(100)) == 0


def no_decoder(folder):
    (folder / "decoder.onnx").unlink()
    return "decoder.onnx is missing"


def broken_encoder(folder):
    (folder / "encoder.onnx").write_bytes(b"no model")
    return "encoder.onnx cannot be used as an ONNX model"


def other_encoder(folder):
    save_encoder(folder / "encoder.onnx", (1, 4, SIDE, SIDE))
    return "encoder.onnx is no encoder that is known here"


def other_decoder(folder):
    save_decoder(folder / "decoder.onnx", leave_out=["has_mask_input"])
    return "decoder.onnx is no decoder that is known here: it has no has_mask_input"


@pytest.mark.parametrize(
    "spoil", [no_decoder, broken_encoder, other_encoder, other_decoder], ids=lambda spoil: spoil.__name__
)
def test_files_that_will_not_do_get_one_sentence(tmp_path, spoil):
    save_encoder(tmp_path / "encoder.onnx")
    save_decoder(tmp_path / "decoder.onnx")
    sentence = spoil(tmp_path)
    with pytest.raises(InputError) as error:
        models.segmenter(Settings(segmenter="sam", segmenter_model=str(tmp_path)), None, lambda _: None)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_without_onnxruntime_one_sentence(pair, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="need onnxruntime"):
        SamOnnx(pair)


def test_nothing_of_models_is_loaded_by_default(tmp_path):
    save_png(tmp_path / "picture.png", scene()[0])
    program = (
        "import sys; from layervec import Settings, vectorize;"
        f"vectorize({str(tmp_path / 'picture.png')!r}, Settings(quality='draft', paths=4));"
        "sys.exit(bool({'onnxruntime', 'torch', 'transformers', 'diffusers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.skipif(not MOBILE_SAM.is_dir(), reason="MobileSAM does not lie in ../shared/models/mobile_sam")
def test_mobile_sam_finds_the_things_of_a_photo():
    """The cup, and the saucer with all that stands on it, by where they lie in the picture."""
    data = pytest.importorskip("skimage.data")
    from layervec.image import open_picture

    picture = open_picture(data.coffee(), 512).raster
    found = SamOnnx(MOBILE_SAM).masks(simplify.classic(picture))
    assert 8 <= len(found) <= 60
    for top, left, bottom, right in ((0.05, 0.29, 0.68, 0.68), (0.05, 0.13, 0.98, 0.80)):
        boxes = []
        for mask in found:
            rows, columns = np.flatnonzero(mask.pixels.any(axis=1)), np.flatnonzero(mask.pixels.any(axis=0))
            sides = np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1], dtype=float)
            boxes.append(sides / np.tile([picture.height, picture.width], 2))
        assert np.abs(np.array(boxes) - [top, left, bottom, right]).max(axis=1).min() < 0.05


def test_what_an_inner_graph_reads_is_kept(tmp_path):
    """The branches of an If read names of the graph around it without naming them as inputs."""
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT

    def branch(kind):
        inner = helper.make_node(kind, ["doubled"], [kind])
        return helper.make_graph([inner], kind, [], [helper.make_tensor_value_info(kind, floats, (1,))])

    nodes = [
        helper.make_node("Add", ["x", "x"], ["doubled"]),
        helper.make_node("Greater", ["x", "doubled"], ["shrank"]),
        helper.make_node("Squeeze", ["shrank"], ["one"]),
        helper.make_node("If", ["one"], ["chosen"], then_branch=branch("Neg"), else_branch=branch("Identity")),
        helper.make_node("Sqrt", ["doubled"], ["unread"]),
    ]
    values = [helper.make_tensor_value_info(name, floats, (1,)) for name in ("x", "chosen", "unread")]
    graph = helper.make_graph(nodes, "branches", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    left = onnx.load_from_string(with_outputs(model.SerializeToString(), {"chosen"}))
    assert [node.op_type for node in left.graph.node] == ["Add", "Greater", "Squeeze", "If"]
    assert [output.name for output in left.graph.output] == ["chosen"]
    from onnxruntime import InferenceSession

    session = InferenceSession(left.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": np.array([3.0], np.float32)})[0].tolist() == [6.0]


@pytest.mark.parametrize("data", [b"\x07", b"\xff", b"\x3a\x05ab"], ids=["wire type", "number", "length"])
def test_what_is_no_model_is_refused(data):
    with pytest.raises(ValueError, match=r"wire type|ends beyond"):
        with_outputs(data, {"chosen"})
