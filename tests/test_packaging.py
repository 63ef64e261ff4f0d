"""What the files around the package say about it agrees."""

import ast
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "pyproject.toml"
OLDEST = ROOT / ".ci/oldest.txt"
BILL = ROOT / "cmake/sbom.cdx.json.in"

if not PROJECT.exists() or sys.version_info < (3, 11):
    pytest.skip("needs pyproject.toml, and a Python that reads it", allow_module_level=True)


def project():
    import tomllib

    return tomllib.loads(PROJECT.read_text("utf-8"))["project"]


def needed():
    """Return the requirements of the package and of what its tests use, without extras."""
    extras = project()["optional-dependencies"]
    found = [*project()["dependencies"], *(line for lines in extras.values() for line in lines)]
    return {line for line in found if not line.startswith("sparsefm[")}


def padded(version):
    return [*map(int, version.split(".")), 0, 0][:3]


@pytest.mark.skipif(not OLDEST.exists(), reason="the source distribution has no .ci")
def test_the_oldest_versions_are_the_lower_bounds():
    lines = OLDEST.read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    bounds = dict(re.split("[=>]=", line) for line in needed())
    assert pins.keys() == bounds.keys()
    for name in pins:
        assert padded(pins[name]) == padded(bounds[name]), name


def test_the_package_imports_only_what_it_names():
    allowed = {re.split("[=>]=", line)[0].replace("scikit-learn", "sklearn") for line in needed()}
    allowed |= {"sparsefm", "threadpoolctl", "joblib"}  # the last two come with scikit-learn
    allowed -= {"safetensors", "pytest", "hypothesis"}  # for tests alone
    for path in (ROOT / "python/sparsefm").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            foreign = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)
            assert foreign <= allowed, f"{path.name} imports {foreign - allowed}"


def test_texts_name_extras_that_exist():
    extras = project()["optional-dependencies"]
    places = [ROOT / "docs", ROOT / "python", ROOT / "examples", ROOT / "bench"]
    texts = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", PROJECT]
    texts += [
        path for place in places for path in place.rglob("*") if path.suffix in (".md", ".py")
    ]
    for path in texts:
        for names in re.findall(r"(?:sparsefm|[\"' ]\.)\[([a-z,]+)\]", path.read_text("utf-8")):
            assert set(names.split(",")) <= extras.keys(), f"{path.name}: {names}"


def test_license_files_exist():
    assert project()["license"] == "BSD-3-Clause"
    for name in project()["license-files"]:
        assert (ROOT / name).stat().st_size > 1000


def test_the_bill_of_materials_and_the_licenses_name_the_same():
    bill = json.loads(re.sub(r"@\w+@", "1.2.3", BILL.read_text("utf-8")))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    parts = {part["name"]: part["licenses"][0]["license"]["id"] for part in bill["components"]}
    table = (ROOT / "LICENSES-BUNDLED.md").read_text("utf-8")
    rows = dict(re.findall(r"(?m)^\| \[(\w+)\].*\| ([\w.-]+)[^|]*\|$", table))
    assert rows.pop("libgomp") == "GPL-3.0-or-later"  # auditwheel writes the bill of what it adds
    assert parts == rows
    references = {part["bom-ref"] for part in bill["components"]}
    assert set(bill["dependencies"][0]["dependsOn"]) == references
