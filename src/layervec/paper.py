"""The paper's recipe: masks become the structure of a drawing, then errors become its details.

    pile (stacking.py) -> structure: outlines by the losses of layers, dominant colours, frozen -> details, in rounds

Source of the recipe and of every constant: "Layered Image Vectorization via Semantic Simplification", arXiv 2406.05404,
section 3.2 and 3.3, and its published code; `Recipe` holds those that its configuration file knows. Left out are its
defects: holes stay holes, the picture keeps its proportions, and an added region never crosses the border of what it
lies on, so that it belongs to one layer. Knows masks and pixels; nothing of models and files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from layervec import arrange, layers, pool, quantize, residue, stacking
from layervec.arrange import SPECK_AREA, Plan
from layervec.layerloss import LayerLoss
from layervec.optimize import Fit, optimize
from layervec.segment import Mask
from layervec.settings import Quality, Settings
from layervec.stacking import Pile
from layervec.types import Drawing, Float32, Float64, Int64, Outline, Raster, RegionTree

COVERED = 0.5  # alpha from which a pixel counts as covered; the paper knows opaque pictures alone
PICTURE_WEIGHT = 0.02  # of the whole picture's error while the structure is fitted (published code)
FIRST_STEP = 1.0  # px that points move at first, while the structure is fitted (its key base_lr.point)
ROUND_SHARE = 0.6  # of the shapes that are left are added in a round, all of them in the last (published code)
MERGED_STEPS = 0.5  # of a round's steps follow once shapes are merged: 50 of 100 (published code)
STEP_SHARES: dict[Quality, float] = {"draft": 0.2, "standard": 1.0, "best": 2.0}  # of the recipe's steps


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """Masks with outlines and colours, in order of rank: the structure first.

    outlines: None where none is drawn yet. paints: float64 [k, 4], straight RGBA. held: how many are the structure.
    """

    pile: Pile
    outlines: tuple[Outline | None, ...]
    paints: Float64
    held: int

    def __len__(self) -> int:
        return len(self.outlines)

    def only(self, kept: Sequence[int]) -> Sheet:
        """Return the shapes at these indices, in this order; all of the structure must be among them, first."""
        places = np.array(kept, dtype=np.int64)
        return Sheet(
            stacking.picked(self.pile, places), tuple(self.outlines[i] for i in kept), self.paints[places], self.held
        )

    def plan(self) -> tuple[RegionTree, Plan]:
        """Return the tree that the masks make and the plan of drawing them; all must have outlines."""
        tree, nodes = stacking.tree(self.pile)
        return tree, Plan(
            nodes[: len(self)], tuple(outline for outline in self.outlines if outline is not None), self.paints
        )

    def drawing(self) -> Drawing:
        """Return the drawing, in fitting pixels."""
        return layers.drawing(*self.plan())


@dataclass(frozen=True, slots=True)
class Progress:
    """done: share of all steps, 0..1; round: from 1; psnr in dB; sheet: at the end of a round, else None."""

    done: float
    round: int
    psnr: float
    paths: int
    sheet: Sheet | None = None


def pile(masks: Sequence[Mask], raster: Raster, settings: Settings) -> Pile:
    """Return what the structure will be: up to its share of all shapes."""
    most = max(1, int(settings.paper.structure_share * settings.most_paths))
    return stacking.stack(masks, raster.pixels[..., 3] >= COVERED, most)


class Painter:
    """Draws a pile for one picture.

    pixels: premultiplied [h, w, c], c = 3 for an opaque picture or 4.
    """

    def __init__(
        self,
        pixels: Float32,
        settings: Settings,
        threads: int | None = None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self.pixels = pixels
        self.target = np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
        self.recipe = settings.paper
        self.paths, self.tolerance, self.seed = settings.most_paths, settings.tolerance, settings.seed
        self.threads, self.on_progress = threads, on_progress
        self.psnr = 0.0  # after the last step
        share = STEP_SHARES[settings.quality]
        self.structure_steps = round(share * self.recipe.structure_steps)
        self.round_steps = round(share * self.recipe.round_steps)
        self.merged_steps = round(MERGED_STEPS * self.round_steps)
        recipe = self.recipe
        self.numbers, self.colours = (
            quantize.reduced(pixels, recipe.cluster_colours, self.seed) if recipe.cluster else quantize.counted(pixels)
        )

    def structure(self, found: Pile) -> Sheet:
        """Return the masks as shapes, outlines and colours final; nothing where the picture covers nothing."""
        from layervec import curves

        if not found.masks[0].any():
            return Sheet(found, (), np.empty((0, 4)), 0)
        tolerance = self.recipe.structure_tolerance
        outlines = pool.each(lambda mask: curves.fit(mask, tolerance, SPECK_AREA), found.masks, self.threads)
        means = np.array([self.pixels[mask].mean(axis=0, dtype=np.float64) for mask in found.masks])
        sheet = Sheet(found, tuple(outlines), _straight(means), len(found))
        tree, plan = sheet.plan()
        order = arrange.stack(tree, plan.nodes)
        loss = LayerLoss(found, order, plan.outlines, self.seed, self.threads)
        fit = optimize(
            Fit(plan.outlines, plan.paints).only(order),
            self.target,
            self.structure_steps,
            further=loss,
            weight=PICTURE_WEIGHT,
            first_step=FIRST_STEP,
            threads=self.threads,
        ).only(np.argsort(order))
        paints = fit.paints if self.recipe.colours == "mse" else self._dominant(found, arrange.seen(tree, plan.nodes))
        return replace(sheet, outlines=fit.outlines, paints=paints)

    def _dominant(self, found: Pile, seen: Int64) -> Float64:
        """The colour that most of what is seen of each mask has, or of all of it where nothing is seen: [k, 4]."""
        most = []
        for i, mask in enumerate(found.masks):
            shown = seen == i
            counts = np.bincount(self.numbers[shown if shown.any() else mask])
            most.append(self.colours[counts.argmax()])
        return _straight(np.array(most, dtype=np.float64))

    def detailed(self, sheet: Sheet) -> Sheet:
        """Return the sheet with shapes added where the error is, in rounds; the structure stays as it is."""
        for number in range(1, self.recipe.rounds + 1):
            left = self.paths - len(sheet)
            last = number == self.recipe.rounds
            grown = self._with_errors(sheet, left if last else int(ROUND_SHARE * left))
            if len(grown) == len(sheet):
                break
            sheet = self._fitted(grown, self.round_steps, number, 0)
            sheet = self._pruned(sheet)
            if not last:
                sheet = self._fitted(self._merged(sheet), self.merged_steps, number, self.round_steps)
            self._tell(sheet, number, self.round_steps + self.merged_steps, sheet)
        return sheet

    def _with_errors(self, sheet: Sheet, room: int) -> Sheet:
        """Add up to `room` regions in which the drawing is wrong, the largest first."""
        if not len(sheet):
            return sheet
        wanted = self.colours[self.numbers]
        tree, plan = sheet.plan()
        seen = arrange.seen(tree, plan.nodes)
        regions = residue.regions(self._image(tree, plan), wanted, seen, room)
        masks = [region.mask for region in regions]
        if not masks:
            return sheet
        fresh = Pile(
            (*sheet.pile.masks, *masks),
            np.concatenate([sheet.pile.parents, [region.owner for region in regions]]).astype(np.int64),
            (*sheet.pile.labels, *(None for _ in regions)),
        )
        means = _straight(np.array([wanted[mask].mean(axis=0, dtype=np.float64) for mask in masks]))
        outlines = (*sheet.outlines, *(None for _ in regions))
        return self._outlined(Sheet(fresh, outlines, np.concatenate([sheet.paints, means]), sheet.held))

    def _outlined(self, sheet: Sheet) -> Sheet:
        """Draw the outlines that are missing; shapes that vanish in that are left out."""
        known = [i for i, outline in enumerate(sheet.outlines) if outline is not None]
        order = np.array(known + [i for i, outline in enumerate(sheet.outlines) if outline is None], dtype=np.int64)
        tree, nodes = stacking.tree(sheet.pile)
        drawn = tuple(outline for outline in sheet.outlines if outline is not None)
        plan = Plan(nodes[order], drawn, sheet.paints[order])
        plan = arrange.add_outlines(plan, tree, self.pixels, self.tolerance, threads=self.threads)
        by_node = dict(zip(plan.nodes.tolist(), plan.outlines, strict=True))
        outlines = tuple(by_node.get(node) for node in nodes.tolist())
        return replace(sheet, outlines=outlines).only([i for i, outline in enumerate(outlines) if outline is not None])

    def _fitted(self, sheet: Sheet, steps: int, number: int, done: int) -> Sheet:
        """Fit all but the structure to the picture."""
        tree, plan = sheet.plan()
        order = arrange.stack(tree, plan.nodes)
        frozen = order < sheet.held

        def on_step(step: int, loss: float) -> None:
            self.psnr = float(-10 * np.log10(max(loss / self.target.size, 1e-12)))
            self._tell(sheet, number, done + step)

        fit = optimize(
            Fit(plan.outlines, plan.paints).only(order),
            self.target,
            steps,
            moving=~frozen,
            fixed=frozen,
            threads=self.threads,
            on_step=on_step,
        ).only(np.argsort(order))
        return replace(sheet, outlines=fit.outlines, paints=fit.paints)

    def _tell(self, sheet: Sheet, number: int, done: int, made: Sheet | None = None) -> None:
        share = (number - 1 + done / max(1, self.round_steps + self.merged_steps)) / max(1, self.recipe.rounds)
        self.on_progress(Progress(share, number, self.psnr, len(sheet), made))

    def _pruned(self, sheet: Sheet) -> Sheet:
        """Leave out added shapes whose loss would hardly change the picture."""
        tree, plan = sheet.plan()
        order = arrange.stack(tree, plan.nodes)
        scene_of = Fit(plan.outlines, plan.paints).only(order)
        idle = residue.idle(scene_of, order >= sheet.held, self.target.shape, self.recipe.remove_below, self.threads)
        gone = set(order[idle].tolist())
        return sheet.only([i for i in range(len(sheet)) if i not in gone])

    def _merged(self, sheet: Sheet) -> Sheet:
        """Make one of added shapes that lie beside or on each other and look alike."""
        tree, plan = sheet.plan()
        groups = residue.alike(
            arrange.seen(tree, plan.nodes),
            sheet.pile.parents,
            plan.paints,
            sheet.held,
            self.recipe.merge_colour,
            self.recipe.merge_border,
        )
        return self._outlined(_joined(sheet, groups)) if groups else sheet

    def _image(self, tree: RegionTree, plan: Plan) -> Float32:
        """Draw a plan: [h, w, c]."""
        from layervec import raster

        scene = Fit(plan.outlines, plan.paints).only(arrange.stack(tree, plan.nodes)).scene()
        channels, height, width = self.target.shape
        return raster.render(scene, width, height, threads=self.threads)[..., :channels]


def _joined(sheet: Sheet, groups: Sequence[Sequence[int]]) -> Sheet:
    """Put one shape without outline in the place of the first of each group, which lies lowest."""
    masks, paints = list(sheet.pile.masks), sheet.paints.copy()
    parents, outlines = sheet.pile.parents.copy(), list(sheet.outlines)
    gone: set[int] = set()
    for first, *others in groups:
        areas = np.array([np.count_nonzero(masks[i]) for i in (first, *others)], dtype=np.float64)
        paints[first] = areas @ paints[[first, *others]] / areas.sum()
        for i in others:
            masks[first] = masks[first] | masks[i]
            parents[parents == i] = first
        outlines[first] = None
        gone.update(others)
    joined = Sheet(Pile(tuple(masks), parents, sheet.pile.labels), tuple(outlines), paints, sheet.held)
    return joined.only([i for i in range(len(sheet)) if i not in gone])


def _straight(colours: Float64) -> Float64:
    """Return opaque straight RGBA of premultiplied colours, [k, 3 or 4]."""
    alpha = np.maximum(colours[:, 3:], 1e-3) if colours.shape[1] == 4 else 1.0
    return np.concatenate([np.clip(colours[:, :3] / alpha, 0.0, 1.0), np.ones((len(colours), 1))], axis=1)
