"""What the first rows of a text tell of all of them."""

import re
from dataclasses import dataclass, replace

from sparsefm.files.lines import Text

FORMATS = ("auto", "libsvm", "libffm")
NUMBER = rb"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
START = rb"^[ \t]*" + NUMBER + rb"(?P<qid>[ \t]+qid:[0-9]+(?=[ \t\r\n#]))?"
ROW = re.compile(START + rb"(?=[ \t\r\n#])(?P<entries>[^\n#]*)", re.MULTILINE)
ROW_WITH_ENTRIES = re.compile(START + rb"(?P<entries>[ \t]+[0-9][^\n#]*)", re.MULTILINE)
FIRST_OF_LIBFFM = re.compile(rb"[ \t]+[0-9]+:[0-9]+:")
# The beginning of what is no entry. Searching for it takes no memory, unlike matching all entries.
NO_ENTRY = {
    name: re.compile(rb"(?<![^ \t])(?!" + index + rb"(?::" + NUMBER + rb")?(?![^ \t]))[^ \t]")
    for name, index in (("libsvm", rb"[0-9]+"), ("libffm", rb"[0-9]+:[0-9]+"))
}


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

    def detect(self, text: Text, most_bad: int) -> "Form":
        """Return the form, with what the first rows of a text tell; malformed lines tell nothing.

        After more than `most_bad` of these, reading will fail, whatever the others tell.
        """
        form, place, bad = self, 0, 0
        while None in (form.format, form.qid) and bad <= most_bad:
            # In a large text without entries, a loop over its lines would take very long.
            pattern = ROW if form.qid is None else ROW_WITH_ENTRIES
            row = pattern.search(text, place)  # type: ignore[call-overload]
            if row is None:
                break
            place = row.end()  # before the newline or a comment
            entries = row["entries"]
            if entries.endswith(b"\r") and text[place] == ord("\n"):
                entries = entries[:-1]
            found = form._with_row(row["qid"] is not None, entries)
            form, bad = found or form, bad + (found is None)
        return form

    def _with_row(self, qid: bool, entries: bytes) -> "Form | None":
        """Return the form with what a row tells; None: it is malformed."""
        format = self.format
        if format is None:
            format = "libffm" if FIRST_OF_LIBFFM.match(entries) else "libsvm"
        if self.qid not in (None, qid) or NO_ENTRY[format].search(entries):
            return None
        return replace(self, qid=qid, format=format if entries.strip(b" \t") else self.format)
