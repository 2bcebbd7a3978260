"""The configuration file of the reference system, read as ours: which of its keys mean something here, and what.

Knows keys and nothing else: values are checked by `Settings`, files are read in settings.py. Keys and their values
are those of the reference's published `base_config.yaml` (arXiv 2406.05404).
"""

from __future__ import annotations

from typing import Any

from layervec.errors import InputError

OURS = {  # the reference's name of a setting: ours; sections by a dot
    "max_path_num_limit": "paths",
    "simp_img_seq_indexs": "sds.steps",
    "sam.sam_checkpoint": "segmenter_model",
}
WITHOUT_EFFECT = frozenset(
    {
        "is_save_all_simp_img_seq",  # --workdir keeps both
        "is_save_masks",
        "multiple",
        "approxpolydp_epsilon",
        "color_fitting_type",
        "add_visual_path_num_iters",
        "paths_merge_color_threshold",
        "paths_merge_distance_threshold",
        "paths_remove_visual_threshold",
        "is_cluster_target_img",
        "kmeas_k",
        "sam.model_type",  # the checkpoint tells
        "train.is_train_stroke",
        "train.is_train_visual_color",
        "train.is_train_struct_color",
        "train.struct_opt_num_iters",
        "train.visual_opt_num_iters",
        "base_lr.point",
        "base_lr.color",
        "base_lr.stroke_width",
        "base_lr.stroke_color",
    }
)
SECTIONS = frozenset(name.partition(".")[0] for name in WITHOUT_EFFECT | set(OURS) if "." in name)
OUR_SECTIONS = frozenset({"sam"})  # of them, those that hold settings of ours as well


def translated(values: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a file's values with the reference's keys turned into ours, and the keys that have no effect here.

    Keys that the reference does not know are left as they are. Raises InputError where two keys set the same thing,
    or where one of the reference's sections is none or holds what it does not know.
    """
    ours: dict[str, Any] = {}
    idle: list[str] = []
    setter: dict[str, str] = {}
    for name, value in values.items():
        for key, part in _parts(name, value):
            if key in WITHOUT_EFFECT:
                idle.append(key)
                continue
            place = OURS.get(key, key)
            if place in setter:
                raise InputError(f"'{setter[place]}' and '{key}' set the same thing")
            setter[place] = key
            _put(ours, place, part)
    return ours, idle


def _parts(name: str, value: Any) -> list[tuple[str, Any]]:
    """Return the settings of a section, or a single one as it is."""
    if name not in SECTIONS and not (name in _homes() and isinstance(value, dict)):
        return [(name, value)]
    if not isinstance(value, dict):
        raise InputError(f"'{name}' should be a section of `name: value` lines, not {value!r}")
    parts = [(f"{name}.{key}", part) for key, part in value.items()]
    unknown = [key for key, _ in parts if name in SECTIONS - OUR_SECTIONS and key not in WITHOUT_EFFECT]
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
        raise InputError(f"'{section}' should be a section of `name: value` lines, not {into!r}")
    into[name] = value
