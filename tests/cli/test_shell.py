"""The command in a shell: exit codes, pipes, Ctrl-C, errors of one line, completion, the docs."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import sparsefm as fm

pytest.importorskip("click")
pytest.importorskip("pandas")

DOCS = Path(__file__).parents[2] / "docs/command_line.md"
CALL = "from sparsefm.cli.main import main; main()"


@pytest.fixture
def shell(folder):
    """Return a function that runs a line of a shell in which `sparsefm` is a command."""
    tools = folder / "bin"
    tools.mkdir()
    script = tools / "sparsefm"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{CALL}" "$@"\n')
    script.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    # The package may be on the path of this process by a relative name.
    environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))

    def shell(line, **options):
        bash = ["bash", "-o", "pipefail", "-c", line]
        settings = {"env": environment, "capture_output": True, "text": True, "timeout": 120}
        return subprocess.run(bash, **{**settings, **options})

    return shell


posix = pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")


@posix
def test_exit_codes_and_errors_of_one_line(shell, folder):
    (folder / "bad.svm").write_text("1 2:1\n1 2:x\n")
    done = shell("sparsefm train bad.svm -o m.st")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"Error: bad\.svm, line 2, column \d+: .*\n", done.stderr)
    assert "Traceback" in shell("sparsefm train bad.svm -o m.st --debug").stderr
    done = shell("sparsefm train rows.svm --rank x -o m.st")
    assert done.returncode == 2
    assert "--rank" in done.stderr


def test_what_the_library_refuses_is_one_line(run, folder):
    (folder / "empty.svm").write_text("")
    (folder / "one.svm").write_text("1 1:1\n1 2:1\n")
    for line, told in (
        ("train nowhere.svm -o m.st", "nowhere.svm: No such file"),
        ("train one.svm --task binary -o m.st", "two classes"),
        ("train empty.svm -o m.st", ""),
        ("train rows.svm --rank -1 -o m.st", "rank"),
        ("train rows.svm --learning-rate 1e30 -o m.st", ""),
        ("predict rows.svm rows.svm", "safetensors"),
        ("train rows.csv --target nobody -o m.st", "'nobody'"),
        ("train rows.csv --target price --format parquet -o m.st", "parquet"),
    ):
        stderr = run(line, code=1).stderr
        assert re.fullmatch(r"Error: .*\n", stderr), stderr
        assert told in stderr


def test_standard_input_is_named_as_such(run):
    stderr = run("train - -o m.st", code=1, input="1 2:x\n").stderr
    assert "standard input, line 1" in stderr


def test_there_is_no_bar_in_a_pipe_and_nothing_if_quiet(run):
    done = run("train rows.svm -o m.st")
    assert "epoch/s" not in done.stderr
    assert "train loss" in done.stdout
    done = run("train rows.svm -o m.st --quiet")
    assert done.output == ""


@posix
@pytest.mark.slow
def test_a_reader_that_goes_is_no_error(shell):
    shell("sparsefm train rows.svm -o m.st --quiet")
    files = " ".join(["rows.svm"] * 400)
    done = shell(f"sparsefm predict m.st {files} | head -n 2; echo ${{PIPESTATUS[0]}}")
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "141"


@posix
def test_ctrl_c_ends_quietly(folder):
    line = ["train", "rows.svm", "--epochs", "10000000", "--checkpoint", "c.st", "-o", "m.st"]
    environment = {**os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))
    with subprocess.Popen(
        [sys.executable, "-c", CALL, *line], stderr=subprocess.PIPE, env=environment, cwd=folder
    ) as process:
        until = time.monotonic() + 60
        while not (folder / "c.st").exists() and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert fm.load(folder / "c.st").history
    assert not (folder / "m.st").exists()


@posix
@pytest.mark.slow
def test_completion(shell):
    asked = "COMP_WORDS='sparsefm {}' COMP_CWORD={} _SPARSEFM_COMPLETE=bash_complete sparsefm"
    assert "plain,predict" in shell(asked.format("pre", 1)).stdout
    assert "--learning-rate" in shell(asked.format("train --lear", 2)).stdout
    assert "plain,adagrad" in shell(asked.format("train --solver ada", 3)).stdout


def blocks(language):
    if not DOCS.exists():
        pytest.skip("the documentation is not beside the tests")
    return re.findall(rf"```{language}\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)


@posix
@pytest.mark.slow
def test_every_command_of_the_page_runs(run, shell, folder):
    (settings,) = blocks("toml")
    (folder / "settings.toml").write_text(settings)
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) > 15
    for line in lines:
        if re.fullmatch(r"sparsefm [^|<>$'\"]*", line):
            run(line.removeprefix("sparsefm "))
            continue
        done = shell(line)
        assert done.returncode in (0, 141), f"{line}\n{done.stderr}"
        assert "Error" not in done.stderr
    assert json.loads(done.stdout or "{}") == {}


def test_every_example_of_the_help_names_flags_that_exist():
    from sparsefm.cli.group import COMMANDS, cli

    examples = 0
    for name in COMMANDS:
        command = cli.get_command(None, name)
        flags = {flag for option in command.params for flag in option.opts + option.secondary_opts}
        for line in re.findall(rf"sparsefm {name} .*", command.help or ""):
            examples += 1
            assert set(re.findall(r"(?<= )--?[a-z][a-z-]*", line)) <= flags, line
    assert examples > 8


def test_flags_of_the_page_exist():
    from sparsefm.cli.training import train_

    flags = {flag for option in train_.params for flag in option.opts}
    (table,) = re.findall(r"(?s)\| \| libFM .*?\n\n", DOCS.read_text("utf-8"))
    ours = [row.rstrip(" |").rpartition(" | ")[2] for row in table.strip().splitlines()[2:]]
    found = [flag for cell in ours for flag in re.findall(r"--[a-z0-9-]+", cell)]
    assert len(found) > 12
    assert set(found) <= flags
