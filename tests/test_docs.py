"""Public docstrings are numpydoc; what is generated is current; every block of code in a document is executed."""

import inspect
import re
import subprocess
import sys
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
    metrics,
    penalties,
    registry,
    testing,
)
from fastloss.boxes import distribution, matrices
from fastloss.composition import linear_layer
from fastloss.integrations import catboost, lightgbm, sklearn, xgboost
from fastloss.language import linear_cross_entropy, tokens

pytest.importorskip("numpydoc")
from numpydoc.validate import validate

ROOT = Path(__file__).parent.parent

# What numpydoc asks for beyond its format: an extended summary, "See Also" and an example everywhere, a verb first (the
# name of a loss is none), types of parameters that several verbs share and describe once, a period after a formula.
NOT_ASKED = {
    *("ES01", "SA01", "EX01", "SS03", "SS05", "SS06", "GL01", "GL02", "GL03", "GL08"),
    *("PR01", "PR03", "PR04", "PR08", "PR09", "RT03", "RT05"),
}


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
    modules = (distribution, matrices, metrics, penalties, tokens, testing, catboost, lightgbm, sklearn, xgboost)
    names += [f"{module.__name__}.{name}" for module in modules for name in module.__all__]
    names += [f"fastloss.{cls.__name__}" for cls in classes]
    of_layers = (*linear_cross_entropy.__all__, *linear_layer.__all__)
    names += [f"fastloss.{name}" for name in ("CrossEntropy.rows", "Chained", "WeightedSum", *of_layers)]
    verbs = ("__call__", "grad", "value_and_grad", "state", "states")
    names += [f"fastloss._core.multi_input.MultiInputLoss.{name}" for name in verbs]
    names += [f"fastloss._core.signature.{name}" for name in ("Argument", "Signature")]
    return [*names, "fastloss.config", "fastloss.show_config"]


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


DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_block_of_code_is_executed(document, pytestconfig):
    fences = re.findall(r"^ *```(.*)$", document.read_text(), re.MULTILINE)
    assert set(fences[::2]) <= {"python", "sh"}, "conftest.py executes these"
    assert not any(fences[1::2])
    collected = [ROOT / path for path in pytestconfig.getini("testpaths")]
    assert document in collected or document.parent in collected


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target
