"""Public docstrings are numpydoc; what is generated is current; every block of code in a document is executed."""

import importlib
import inspect
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import fastloss
from fastloss import (
    GroupStates,
    LinearFit,
    LinearObjective,
    Loss,
    LossState,
    RegionState,
    SequenceScores,
    ShardState,
    arrow,
    metrics,
    penalties,
    registry,
    testing,
)
from fastloss.boxes import distribution, matrices
from fastloss.composition import linear_layer
from fastloss.integrations import catboost, lightgbm, lm_eval, sklearn, transformers, xgboost
from fastloss.language import linear_cross_entropy, tokens

pytest.importorskip("numpydoc")
import numpy as np
from numpydoc.validate import validate

from tools.docs import DOCS, MADE, check, gallery, pictures, reference

ROOT = Path(__file__).parent.parent

# What numpydoc asks for beyond its format: an extended summary, "See Also" and an example everywhere, a verb first (the
# name of a loss is none), types of parameters that several verbs share and describe once, a period after a formula.
NOT_ASKED = {
    *("ES01", "SA01", "EX01", "SS03", "SS05", "SS06", "GL01", "GL02", "GL03", "GL08"),
    *("PR01", "PR03", "PR04", "PR08", "PR09", "RT03", "RT05"),
}

VERBS = {
    "fastloss.penalties.Penalty": ("__call__", "grad", "value_and_grad", "proximal"),
    "fastloss.integrations.sklearn.LossRegressor": ("fit", "predict"),
    "fastloss.integrations.sklearn.LossClassifier": ("fit", "predict", "decision_function", "predict_proba"),
    "fastloss.integrations.jax.JaxLoss": ("__call__",),
    "fastloss.integrations.transformers.Perplexity": ("__call__", "preprocess_logits_for_metrics", "reset"),
    "fastloss.integrations.keras.KerasLoss": ("call", "get_config", "from_config"),
}


# What is imported only with a library: its modules, and the classes whose methods are public.
INSTALLED_ALONG = {
    "dask": ("fastloss.dask", ["LinearObjective", "LinearFit"]),
    "ray": ("fastloss.integrations.ray", ["StateAggregate"]),
}


def installed_along():
    for library, (module, classes) in INSTALLED_ALONG.items():
        if find_spec(library) is None:
            continue
        names = importlib.import_module(module)
        yield from (f"{module}.{name}" for name in names.__all__)
        for owner in classes:
            methods = [name for name, one in vars(getattr(names, owner)).items() if inspect.isfunction(one)]
            yield from (f"{module}.{owner}.{name}" for name in methods if not name.startswith("_"))


def public():
    names = [f"fastloss.{cls.__name__}" for cls in registry.values()]
    names += [f"fastloss.{name}" for name in registry]
    classes = (Loss, GroupStates, LossState, LinearObjective, LinearFit, RegionState, SequenceScores, ShardState)
    for owner in classes:
        names += [
            f"fastloss.{owner.__name__}.{name}"
            for name, member in vars(owner).items()
            if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, (property, staticmethod)))
        ]
    modules = [arrow, distribution, matrices, metrics, penalties, tokens, testing]
    modules += [catboost, lightgbm, lm_eval, sklearn, transformers, xgboost]
    modules += [
        importlib.import_module(f"fastloss.integrations.{name}") for name in ("jax", "keras") if find_spec(name)
    ]
    names += [f"{module.__name__}.{name}" for module in modules for name in module.__all__]
    if find_spec("lm_eval") is None:
        names.remove("fastloss.integrations.lm_eval.HFLM")
    names += [f"{cls}.{verb}" for cls, verbs in VERBS.items() for verb in verbs if cls in names]
    names += [f"fastloss.{cls.__name__}" for cls in classes]
    of_layers = (*linear_cross_entropy.__all__, *linear_layer.__all__)
    names += [f"fastloss.{name}" for name in ("CrossEntropy.rows", "Chained", "WeightedSum", *of_layers)]
    verbs = ("__call__", "grad", "value_and_grad", "state", "states")
    names += [f"fastloss._core.multi_input.MultiInputLoss.{name}" for name in verbs]
    names += [f"fastloss._core.signature.{name}" for name in ("Argument", "Signature")]
    return [*names, *installed_along(), "fastloss.config", "fastloss.show_config"]


@pytest.mark.parametrize("name", public())
def test_docstrings_are_numpydoc(name):
    errors = [(code, text) for code, text in validate(name)["errors"] if code not in NOT_ASKED]
    assert not errors


def test_generated_text_is_current():
    done = subprocess.run(
        [sys.executable, "-m", "tools.generate", "--check"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_public_has_a_docstring():
    for name in fastloss.__all__:
        assert inspect.getdoc(getattr(fastloss, name)), name


DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_of_code_is_executed(document, pytestconfig):
    fences = re.findall(r"^ *```(.*)$", document.read_text(), re.MULTILINE)
    compared = {"text"} if document.name == "start.md" else set()  # by test_examples.py
    assert set(fences[::2]) - compared <= {"python", "sh"}, "conftest.py executes these"
    assert not any(fences[1::2])
    collected = [ROOT / path for path in pytestconfig.getini("testpaths")]
    assert any(document.is_relative_to(path) for path in collected)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
        path = (document.parent / target).resolve()
        made = any(path.is_relative_to(DOCS / name) for name in MADE)  # by the build, which checks links to these
        assert made or path.exists() or re.match(r"https?:", target), target


def test_every_public_name_is_in_the_reference():
    assert reference.public_names() == reference.documented_names()
    pages = "\n".join(reference.pages().values())
    for name in fastloss.__all__:
        assert name in reference.MODULES or re.search(rf"\b{name}\b", pages), name


def test_every_page_is_in_a_table_of_contents():
    listed = {"index"}
    for page in DOCS.rglob("*.md"):
        for directive in re.findall(r"^:::\{toctree\}\n(.*?)^:::$", page.read_text(), re.MULTILINE | re.DOTALL):
            for line in directive.splitlines():
                target = re.sub(r".*<(.*)>", r"\1", line)
                if target and not target.startswith(":"):
                    listed.add((page.parent / target).resolve().relative_to(DOCS).as_posix())
    pages = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}
    assert pages <= listed


def test_a_broken_link_of_the_site_is_found(tmp_path):
    (tmp_path / "there.html").write_text('<p id="place"></p><a href="#place"></a>')
    links = "".join(
        f'<a href="{to}"></a>' for to in ("there.html#place", "gone.html", "there.html#gone", "https://x.y")
    )
    (tmp_path / "page.html").write_text(links + '<img src="gone.svg">')
    assert list(check.broken_links(tmp_path)) == [
        "page.html: gone.html is not there",
        "page.html: there.html#gone has no such place",
        "page.html: gone.svg is not there",
    ]


def test_a_word_that_the_search_does_not_find_is_named(tmp_path):
    index = '{"docnames": ["start"], "terms": {"huber": 0}, "titleterms": {}}'
    (tmp_path / "searchindex.js").write_text(f"Search.setIndex({index})")
    assert len(list(check.not_found(tmp_path))) == len(check.SOUGHT)


def test_the_gallery_has_a_script_for_every_family_and_library():
    families = {cls.__module__.split(".")[1] for cls in registry.values()}
    assert families == gallery.FAMILIES.keys()
    scripts = {path.relative_to(ROOT / "examples").as_posix() for path in (ROOT / "examples").rglob("*.py")}
    assert {*gallery.FAMILIES.values(), *gallery.INTEGRATIONS.values()} <= scripts
    for name in scripts - set(gallery.NOT_SHOWN):
        text = (ROOT / "examples" / name).read_text()
        title, line = text.splitlines()[1:3]
        assert set(line) == {"="}, f"{name}: it has no title"
        assert len(line) == len(title), f"{name}: the line below its title is not as long"


@pytest.mark.parametrize("cls", registry.values(), ids=lambda cls: cls.__name__)
def test_a_loss_is_drawn_with_its_own_slope(cls):
    steps, found, label = pictures.curves(cls())
    assert label
    assert np.isfinite(found["loss"]).any()
    if cls.__name__ in ("Circle", "WiseIoU"):  # whose weights are taken as constants
        return
    middle = slice(1, -1)
    numerical = np.gradient(found["loss"], steps)[middle]
    apart = np.abs(numerical - found["slope"][middle]) / (0.01 + np.abs(numerical))
    assert np.nanmedian(apart) < 0.05
