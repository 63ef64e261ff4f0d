"""The methods of estimators that inspect a fitted model.

What needs `sparsefm.encoding` is imported late: that needs scikit-learn, and the plots, which every
program imports, need the class of this module.
"""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm import _core
from sparsefm.data.csr import as_scipy
from sparsefm.inspection.explanation import Explanation, explain_rows
from sparsefm.inspection.fields import field_strengths
from sparsefm.inspection.formula import Formula
from sparsefm.inspection.interactions import rank_pairs
from sparsefm.snapshots import consistent

if TYPE_CHECKING:
    from sparsefm.encoding.tables import Column
    from sparsefm.inspection.field_explanation import FieldExplanation

Array = npt.NDArray[Any]


class InsightMixin:
    """Gives estimators the methods that show what a model has learnt."""

    if TYPE_CHECKING:
        encoder_: Any
        _sample: sp.csr_matrix | None  # encoded training rows, at most 32,768; None: not saved

        @property
        def classes_(self) -> Array: ...  # noqa: D102
        @property
        def _n_scores(self) -> int: ...
        @property
        def _models(self) -> list[Any]: ...
        def _of_score(self, c: int) -> tuple[float, Array, Array]: ...
        def _encode(self, X: Any) -> _core.Csr: ...
        def _in_memory(self, X: Any) -> Any: ...

    @consistent
    def interactions(self, top: int = 20, X: Any = None, target: Any = None) -> dict[str, Array]:
        r"""Return the pairs of features whose interactions change the scores most.

        Pairs of features of one column, such as two knots of a spline, are left out: they are part
        of the effect of that column alone. With softmax loss only differences between classes
        matter: weights are those above the class with the smallest, factor by factor.

        Parameters
        ----------
        top : int
            Number of pairs; there are fewer if fewer occur.
        X : table or matrix, optional
            Rows to use, as for ``predict``. Default: a sample of the training rows, which a loaded
            estimator has only if it was saved with ``training_rows=True``.
        target : label, optional
            The class whose score is meant; needed with more than two classes or softmax loss, and
            only then.

        Returns
        -------
        dict of ndarray
            Columns of equal length, the strongest pair first:

            - "first", "second": names of the two features;
            - "weight": :math:`\langle v_i, v_j \rangle`, what the pair adds to the score where both
              features are 1; with ``variant="fwfm"`` times the weight of their fields;
            - "share": share of the rows that have both features;
            - "strength": standard deviation, over the rows, of what the pair adds to the score and
              neither feature could add alone. Pairs are ranked by strength, so a rare pair with a
              large weight does not come first.
        """
        formula, rows = self._formula(target), self._rows(X)
        pairs = rank_pairs(formula.V, rows, top, formula.interaction, within_fields=False)
        names = self._names()
        return {
            "first": names[pairs.first],
            "second": names[pairs.second],
            "weight": pairs.weight,
            "share": pairs.share,
            "strength": pairs.strength,
        }

    @consistent
    def factors(self, column: str | int, target: Any = None) -> dict[str, Array]:
        """Return the parameters of the values of a column, such as those of each movie.

        Parameters
        ----------
        column : str or int
            A column of categories, or of lists of them, by name or position.
        target : label, optional
            The class whose score is meant; needed with more than two classes or softmax loss, and
            only then.

        Returns
        -------
        dict of ndarray
            Columns of equal length, a row for each value, in the order of the features:

            - "id": the values; None stands for missing ones, if training had some;
            - "weight": the linear weights, shape (n,);
            - "vector": the factors, shape (n, k); with ``variant="ffm"`` (n, n_fields, k), those
              for each field; with `Gibbs` those of all samples side by side.

        Raises
        ------
        ValueError
            If the values of the column have no features of their own: numbers, or hashed values.
        """
        c, encoder = self._score_number(target), self.encoder_
        if encoder._encodings is None:
            raise ValueError(
                "factors needs a column of categories, and the model was fitted on a sparse "
                "matrix: see w_ and V_"
            )
        field = encoder._field_of(column, "column")
        known = encoder._encodings[field]
        known = getattr(known, "single", known)  # of lists
        if not hasattr(known, "vocabulary"):
            raise ValueError(
                f"column names {encoder.field_names_[field]!r}, whose values have no features of "
                "their own: numbers that are identifiers need TableEncoder(categorical=...)"
            )
        ids, features = [*known.values], [*known.vocabulary.columns]
        if known.missing >= 0:
            ids, features = [*ids, None], [*features, known.missing]
        _, w, V = self._of_score(c)
        named = np.empty(len(ids), object)
        named[:] = ids
        return {"id": named, "weight": w[features], "vector": V[features]}

    @consistent
    def explain(self, X: Any, target: Any = None) -> Explanation:
        """Split the score of each row of `X` into contributions that add up to it.

        Parameters
        ----------
        X : table or matrix
            Rows to explain, as for ``predict``. A row with m features has m(m-1)/2 pairs; at most
            50 million pairs are allowed.
        target : label, optional
            The class whose score is meant; needed with more than two classes or softmax loss, and
            only then.

        Returns
        -------
        Explanation
            The bias, and the contribution of each feature and each pair of features. Except for
            rounding their sums are the predictions of a regressor, or the ``decision_function`` of
            a classifier; of a classifier fitted with `Gibbs`, the mean of the samples' probit
            scores, which is not its ``decision_function``.
        """
        return explain_rows(self._formula(target), as_scipy(self._encode(X)), self._names())

    @consistent
    def explain_fields(
        self, X: Any, background: Any = None, target: Any = None
    ) -> FieldExplanation:
        """Split the score of each row of `X` by field, against the average row.

        Parameters
        ----------
        X : table or matrix
            Rows to explain, as for ``predict``.
        background : table or matrix, optional
            Rows to take the average of. Default: a sample of the training rows, which a loaded
            estimator has only if it was saved with ``training_rows=True``.
        target : label, optional
            The class whose score is meant; needed with more than two classes or softmax loss, and
            only then.

        Returns
        -------
        FieldExplanation
            The score of the average row, and what each field (a column of the table) and each pair
            of fields changes. Except for rounding they add up to the scores, as in `explain`: for a
            classifier fitted with `Gibbs` to mean probit scores, not to ``decision_function``.
        """
        return self._explain_fields(X, background, target)

    @consistent
    def _explain_fields(
        self, X: Any, background: Any, target: Any, row: int | None = None
    ) -> FieldExplanation:
        """Explain all rows of `X`, or only one of them."""
        from sparsefm.inspection.field_explanation import (
            Background,
            FieldExplanation,
            active_columns,
            check_row,
        )

        formula, encoder = self._formula(target), self.encoder_
        data = encoder._read_known(self._in_memory(X), self)
        if row is not None:
            check_row(row, data.shape[0])
            data = data.only(row)
        data = data.keeping()
        rows = self._rows(background, "background")
        names = np.array(encoder.field_names_, object)
        split = Background(formula, rows)
        columns: Iterable[Column] = data.columns()
        if encoder._fields is not None:
            columns = active_columns(as_scipy(data.as_csr()), encoder.fields_, self._names())
        cells = list(columns)
        features = as_scipy(encoder._features(data, encoder._encodings, encoder._scales))
        parts = split.split(features)
        return FieldExplanation(split.average, *parts, names, cells)

    @consistent
    def field_importances(self, X: Any = None, target: Any = None) -> npt.NDArray[np.float64]:
        """Return how much each field changes the scores: its mean absolute contribution.

        The contribution of a field to the score of a row is that of `explain_fields`, against the
        average of the same rows: what it changes alone, and half of what it changes together with
        each other field.

        Parameters
        ----------
        X : table or matrix, optional
            Rows to use, as for ``predict``. Default: a sample of the training rows, which a loaded
            estimator has only if it was saved with ``training_rows=True``.
        target : label, optional
            The class whose score is meant; needed with more than two classes or softmax loss, and
            only then.

        Returns
        -------
        ndarray of float64, shape (n_fields,)
            In units of the score, in the order of ``encoder_.field_names_``.
        """
        from sparsefm.inspection.field_explanation import Background

        rows = self._rows(X)
        return Background(self._formula(target), rows).importances(rows)

    @consistent
    def field_interactions(self, X: Any = None, target: Any = None) -> npt.NDArray[np.float64]:
        r"""Return how much the interactions of pairs of fields change the scores.

        A field is a column of the table that the estimator was fitted on. Field a contributes the
        vector :math:`u_a = \sum_{i \in a} x_i v_i` to a row. The strength of two fields is the
        standard deviation of :math:`\langle u_a - \bar u_a, u_b - \bar u_b \rangle` over the rows.
        The vectors are centred because an effect of one field alone is not an interaction. With
        ``variant="fwfm"`` the strength is times the weight of the pair.

        Parameters
        ----------
        X : table or matrix, optional
            Rows to use, as for ``predict``. Default: a sample of the training rows, which a loaded
            estimator has only if it was saved with ``training_rows=True``.
        target : label, optional
            The class whose score is meant; needed with more than two classes or softmax loss, and
            only then.

        Returns
        -------
        ndarray of float64, shape (n_fields, n_fields)
            Symmetric, in units of the score, in the order of ``encoder_.field_names_``. The
            diagonal is zero: pairs within a field, which one-hot fields do not have, are left out.

        Notes
        -----
        If two fields contain partly the same information, such as a day and its month, one of them
        alone may explain a part of the strength.
        """
        formula = self._formula(target)
        return field_strengths(formula.V, self._rows(X), formula.interaction)

    def _formula(self, target: Any) -> Formula:
        """Return the parameters of the score of the class `target`, with the columns as fields."""
        c, encoder = self._score_number(target), self.encoder_
        model = self._models[c if len(self._models) > 1 else 0]
        fields, n_fields = np.asarray(encoder.fields_), len(encoder.field_names_)
        w0, w, V = self._of_score(c)
        interaction = model._interaction(fields, n_fields)
        return Formula(w0, w, interaction.vectors(V), interaction)

    def _score_number(self, target: Any) -> int:
        """Return the number of the score of the class `target`."""
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        if self._n_scores == 1:
            if target is not None:
                raise ValueError(
                    "target picks one of more than two classes, but this model has a single score "
                    f"a row: leave it out; got {target!r:.80}"
                )
            return 0
        is_plain = isinstance(target, str | Real | np.generic)  # others may compare to anything
        found = np.flatnonzero([is_plain and label == target for label in self.classes_.tolist()])
        if len(found) != 1:
            some = ", ".join(map(repr, self.classes_[:10].tolist()))
            some += ", ..." if len(self.classes_) > 10 else ""
            given = "is needed" if target is None else f"is {target!r:.80}, which is not a class"
            raise ValueError(f"target {given}: each class has its own score; pick one of {some}")
        return int(found[0])

    def _rows(self, X: Any, name: str = "X") -> sp.csr_matrix:
        """Return `X` encoded, or the sample of training rows, in float64."""
        if X is not None:
            return as_scipy(self._encode(X))
        if self._sample is None:
            raise ValueError(
                f"the training rows were not saved with this estimator: pass {name}=, or save it "
                "with training_rows=True"
            )
        return sp.csr_matrix(self._sample, dtype=np.float64)

    def _names(self) -> Array:
        """Return the name of each feature, shape (d,)."""
        return np.asarray(self.encoder_.get_feature_names_out(), dtype=object)
