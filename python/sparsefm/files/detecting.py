"""What the first rows of a text tell of all of them."""

import re
from dataclasses import dataclass, replace

from sparsefm.files.lines import Text

FORMATS = ("auto", "libsvm", "libffm")
LABEL = re.compile(rb"[+-]?[0-9.]+([eE][+-]?[0-9]+)?")
QUERY = re.compile(rb"qid:[0-9]+")
ENTRY = re.compile(rb"[0-9]+(:[^:]*)?(?P<third>:[^:]*)?")


@dataclass(frozen=True)
class Form:
    """What all rows have in common; None: no row has told yet.

    Attributes
    ----------
    format : {"libsvm", "libffm"} or None
        The first entry tells: whether it has two colons.
    qid : bool or None
        The first row tells.
    """

    format: str | None
    qid: bool | None = None

    def detect(self, text: Text) -> "Form":
        """Return the form, with what the first rows of a text tell; other lines tell nothing."""
        form, place = self, 0
        data = text.tobytes() if None in (form.format, form.qid) else b""
        while place < len(data) and None in (form.format, form.qid):
            end = data.index(b"\n", place)
            form = form._with_line(data[place:end])
            place = end + 1
        return form

    def _with_line(self, line: bytes) -> "Form":
        label, *entries = line.partition(b"#")[0].split() or [b""]
        if not LABEL.fullmatch(label):
            return self
        form = self
        qid = bool(entries) and QUERY.fullmatch(entries[0]) is not None
        if form.qid is None:
            form = replace(form, qid=qid)
        entry = ENTRY.fullmatch(entries[qid]) if len(entries) > qid else None
        if form.format is None and entry:
            form = replace(form, format="libffm" if entry["third"] else "libsvm")
        return form
