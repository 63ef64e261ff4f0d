"""Check what no schema knows of: ``python .ci/check_workflows.py [WORKFLOW ...]``.

Every row of a matrix says why it exists, a job named ``pass`` requires all others, no job may write
but the one that publishes, every job ends in time, and no action comes from a branch that moves.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

MAY_WRITE = {("release.yml", "publish"): {"id-token": "write"}}
PINNED = re.compile(r"(\./|[\w/-]+@(v\d|[0-9a-f]{40}$))")


def complaints(file: str, workflow: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a workflow."""
    if workflow.get("permissions") != {"contents": "read"}:
        yield "permissions must be `contents: read`"
    jobs = workflow["jobs"]
    for name, job in jobs.items():
        if job.get("permissions", {}) != MAY_WRITE.get((file, name), {}):
            yield f"{name}: has permissions of its own"
        if "uses" not in job and "timeout-minutes" not in job:
            yield f"{name}: has no timeout-minutes"
        for row in job.get("strategy", {}).get("matrix", {}).get("include", []):
            if not row.get("why"):
                yield f"{name}: a row of the matrix does not say why it exists: {row}"
        for step in [job, *job.get("steps", [])]:
            if "uses" in step and not PINNED.match(step["uses"]):
                yield f"{name}: {step['uses']} is not pinned"
    if "pass" in jobs and set(jobs["pass"]["needs"]) != set(jobs) - {"pass"}:
        yield f"pass: must need {sorted(set(jobs) - {'pass'})}"


def main() -> None:
    """Check the files named, or all."""
    folder = Path(__file__).parent.parent / ".github/workflows"
    files = [Path(name) for name in sys.argv[1:]] or sorted(folder.glob("*.yml"))
    found = [
        f"{file}: {complaint}"
        for file in files
        for complaint in complaints(file.name, yaml.safe_load(file.read_text("utf-8")))
    ]
    sys.exit("\n".join(found) or 0)


if __name__ == "__main__":
    main()
