"""The configuration file of the reference system, read as ours: which of its keys mean something here, and what.

Knows keys, and one word that is spelled differently there: values are checked by `Settings`, files are read in
settings.py. Keys and their values are those of the reference's published `base_config.yaml` (arXiv 2406.05404).
"""

from __future__ import annotations

from typing import Any

from layervec.errors import InputError, quoted

OURS = {  # the reference's name of a setting: ours; sections by a dot
    "max_path_num_limit": "paths",
    "simp_img_seq_indexs": "sds.steps",
    "sam.sam_checkpoint": "segmenter_model",
    "color_fitting_type": "paper.colours",
    "is_cluster_target_img": "paper.cluster",
    "kmeas_k": "paper.cluster_colours",
    "add_visual_path_num_iters": "paper.rounds",
    "paths_remove_visual_threshold": "paper.remove_below",
    "paths_merge_color_threshold": "paper.merge_colour",
    "paths_merge_distance_threshold": "paper.merge_border",
    "train.struct_opt_num_iters": "paper.structure_steps",
    "train.visual_opt_num_iters": "paper.round_steps",
}
WITHOUT_EFFECT = frozenset(
    {
        "is_save_all_simp_img_seq",  # --workdir keeps both
        "is_save_masks",
        "multiple",
        "approxpolydp_epsilon",  # of polygons; ours are curves from the start
        "sam.model_type",  # the checkpoint tells
        "train.is_train_stroke",
        "train.is_train_visual_color",
        "train.is_train_struct_color",
        "base_lr.point",  # points move as fast as in every other fit
        "base_lr.color",  # colours are solved for
        "base_lr.stroke_width",
        "base_lr.stroke_color",
    }
)
SPELLINGS = {("color_fitting_type", "dominan"): "dominant"}  # (key, its value): ours
SECTIONS = frozenset(name.partition(".")[0] for name in WITHOUT_EFFECT | set(OURS) if "." in name)
OUR_SECTIONS = frozenset({"sam"})  # of them, those that hold settings of ours as well


def translated(values: dict[str, Any]) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return a file's values with the reference's keys turned into ours, and two lists of its keys.

    The first are those that have no effect here, the second those that count with the preset `paper` alone.

    Keys that the reference does not know are left as they are. Raises InputError where two keys set the same thing,
    or where one of the reference's sections is none or holds what it does not know.
    """
    ours: dict[str, Any] = {}
    idle: list[str] = []
    paper: list[str] = []
    setter: dict[str, str] = {}
    for name, value in values.items():
        for key, part in _parts(name, value):
            if key in WITHOUT_EFFECT:
                idle.append(key)
                continue
            place = OURS.get(key, key)
            if key in OURS and place.startswith("paper."):
                paper.append(key)
            if place in setter:
                raise InputError(f"'{setter[place]}' and '{key}' set the same thing")
            setter[place] = key
            _put(ours, place, SPELLINGS.get((key, part), part) if isinstance(part, str) else part)
    return ours, idle, paper


def _parts(name: str, value: Any) -> list[tuple[str, Any]]:
    """Return the settings of a section, or a single one as it is."""
    if name not in SECTIONS and not (name in _homes() and isinstance(value, dict)):
        return [(name, value)]
    if not isinstance(value, dict):
        raise InputError(f"'{name}' should be a section of `name: value` lines, not {quoted(value)}")
    parts = [(f"{name}.{key}", part) for key, part in value.items()]
    known = WITHOUT_EFFECT | set(OURS)
    unknown = [key for key, _ in parts if name in SECTIONS - OUR_SECTIONS and key not in known]
    if unknown:
        raise InputError(f"there is no setting called '{unknown[0]}'")
    return parts


def _homes() -> set[str]:
    """Return our sections that keys of the reference lead into."""
    return {place.partition(".")[0] for place in OURS.values() if "." in place}


def _put(ours: dict[str, Any], place: str, value: Any) -> None:
    section, _, name = place.rpartition(".")
    into = ours.setdefault(section, {}) if section else ours
    if not isinstance(into, dict):
        raise InputError(f"'{section}' should be a section of `name: value` lines, not {quoted(into)}")
    into[name] = value
