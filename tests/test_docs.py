"""What the documentation says can be done, done."""

import re
from pathlib import Path

import numpy as np
import pytest
from golden import FIXED, golden

import sparsefm as fm

ROOT = Path(__file__).parents[1]


def page(name):
    path = ROOT / "docs" / name
    if not path.exists():
        pytest.skip("the documentation is not beside the tests")
    return path.read_text()


@pytest.mark.parametrize("name", FIXED)
def test_the_call_that_reproduces_systemds(name):
    call = re.search(r"`fm\.train\(\.\.\., (.*?)`\.\n", page("systemml.md"), re.DOTALL).group(1)
    case = golden(name)
    options = eval(f"dict({call}", {"fm": fm} | dict(zip(("w0", "W", "V"), case.init, strict=True)))
    task = "binary" if case.is_binary else "regression"
    model = fm.train(case.X, case.y, task=task, epochs=case.epochs, **options)
    np.testing.assert_allclose(model.V, case.recorded["final_V"], rtol=0, atol=1e-10)


def test_links_of_the_documentation_lead_somewhere():
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_defaults_of_the_settings_page():
    text = page("settings.md")
    solver = fm.Adam()
    assert f"| `learning_rate` | {solver.learning_rate:g} |" in text
    assert "| `epsilon` | 1e-3 |" in text
    assert "| 1e-3, 1e-2 | penalties" in text
    assert (solver.epsilon, solver.l2_linear, solver.l2_factors) == (1e-3, 1e-3, 1e-2)
