"""Files to train on, and the command."""

import gzip
import json

import numpy as np
import pytest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Go to a folder of small data sets, in which a pair of user and item decides."""
    random = np.random.default_rng(0)
    for name, n_rows in (("rows", 200), ("more", 100), ("valid", 80), ("new", 20)):
        svm, ffm, csv = [], [], ["user,item,price,late"]
        for user, item in zip(
            random.integers(0, 5, n_rows), random.integers(5, 11, n_rows), strict=True
        ):
            y = (user + item) % 2
            svm.append(f"{y} {user}:1 {item}:1")
            ffm.append(f"{y} 0:{user}:1 1:{item}:1")
            csv.append(f"u{user},i{item},{user * item / 10},{'yes' if y else 'no'}")
        for suffix, lines in (("svm", svm), ("ffm", ffm), ("csv", csv)):
            (tmp_path / f"{name}.{suffix}").write_text("\n".join(lines) + "\n")
    for number in range(2):  # as Criteo's files: a label, numbers and categories, without a header
        rows = [f"{row % 2}\t{row % 7}\t\tc{row % 5}\n" for row in range(60)]
        (tmp_path / f"day_{number}.gz").write_bytes(gzip.compress("".join(rows).encode()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder):
    """Return a function that runs the command line within this process."""
    testing = pytest.importorskip("click.testing")
    from sparsefm.cli.group import cli

    def run(line, code=0, **options):
        arguments = line if isinstance(line, list) else line.split()
        done = testing.CliRunner().invoke(cli, arguments, prog_name="sparsefm", **options)
        assert done.exit_code == code, f"{line}\n{done.output}\n{done.exception!r}"
        return json.loads(done.stdout) if code == 0 and "--json" in arguments else done

    return run
