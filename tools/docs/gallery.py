"""The settings of the gallery, which `sphinx-gallery` makes of the scripts in `examples/`."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Scripts that the gallery does not show: they make files for the command, print numbers, or need Java.
NOT_SHOWN = ("train.py", "exercises.py", "spark.py")

# A script for each family of losses, and for each library that fastloss works with.
FAMILIES = {
    "elementwise": "regression.py",
    "columns": "intervals.py",
    "aggregate": "intervals.py",
    "rowwise": "classes.py",
    "vectors": "embedding.py",
    "boxes": "boxes.py",
    "regions": "segmentation.py",
    "alignment": "alignment.py",
    "composition": "autoencoder.py",
}
INTEGRATIONS = {
    "linear": "linear_model.py",
    "language": "language_model.py",
    "xgboost": "integrations/xgboost_objective.py",
    "lightgbm": "integrations/lightgbm_objective.py",
    "catboost": "integrations/catboost_objective.py",
    "sklearn": "integrations/sklearn_estimators.py",
    "torch": "integrations/torch_training.py",
    "jax": "integrations/jax_training.py",
    "keras": "integrations/keras_training.py",
    "transformers": "integrations/transformers_perplexity.py",
    "dask": "integrations/dask_arrays.py",
    "ray": "integrations/ray_groups.py",
    "arrow": "integrations/arrow_polars.py",
}

# What a script needs that the extra `docs` does not install.
NEEDED = {
    "torch_training.py": "torch",
    "jax_training.py": "jax",
    "keras_training.py": "keras",
    "catboost_objective.py": "catboost",
    "transformers_perplexity.py": "transformers",
    "dask_arrays.py": "dask",
    "ray_groups.py": "ray",
}


class NewFile:
    """The arguments of a script: where it is to write its picture, for which the page needs no file."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="fastloss-gallery-"))

    def __repr__(self) -> str:
        return "NewFile()"

    def __call__(self, gallery_conf: dict[str, Any], script_vars: dict[str, Any]) -> list[str]:
        return [str(self._folder / "picture.png")]


def configuration(root: Path) -> dict[str, Any]:
    """What `sphinx_gallery_conf` is."""
    missing = [script for script, library in NEEDED.items() if find_spec(library) is None]
    if missing:
        print(f"gallery: without {', '.join(missing)}, whose libraries are not installed")
    hidden = "|".join(name.replace(".", r"\.") for name in (*NOT_SHOWN, *missing))
    return {
        "examples_dirs": [str(root / "examples")],
        "gallery_dirs": ["gallery"],
        "filename_pattern": "/",
        "ignore_pattern": rf"(^|/)({hidden}|__init__\.py)$",
        "nested_sections": True,
        "reset_argv": NewFile(),
        "download_all_examples": False,
        "show_memory": False,
        "show_signature": False,
        "plot_gallery": "True",
        "abort_on_example_error": True,
        "within_subsection_order": "FileNameSortKey",
        "min_reported_time": 1,
        "copyfile_regex": "",
    }
