"""Dawid and Skene: who is often wrong counts less, and habits such as calling ties are seen."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.aggregations._contract import OUTCOMES, Known, Together, Vote, together
from tasks.errors import ConfigError

PLACES = {outcome: place for place, outcome in enumerate(OUTCOMES)}


@dataclass(frozen=True, kw_only=True)
class DawidSkene:
    """What was most likely true, given how often each person errs, and in which way.

    Source: Dawid and Skene, Applied Statistics 28 (1979), by crowd-kit (arXiv:2109.08584).
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"one_coin": True}
    SEMANTICS: ClassVar[int] = 1

    iterations: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Most steps of expectation and maximisation."""
    one_coin: bool = False
    """One number for how often a person is right, instead of a table of which errors they make:
    better with few answers of each person."""

    def __call__(self, votes: Sequence[Vote], known: Known) -> dict[str, Together]:
        """By comparison; people are measured on `known` outcomes as well."""
        if not votes:
            return {}
        import pandas as pd

        table = pd.DataFrame(sorted(votes), columns=["task", "worker", "label"])
        table["label"] = table["label"].map(PLACES)
        shares = self._shares(table, {one: PLACES[known[one]] for one in known})
        return {
            str(name): together([float(one) for one in row])
            for name, row in zip(shares.index, shares.to_numpy(), strict=True)
        }

    def _shares(self, table: Any, known: dict[str, int]) -> Any:
        """The probability of each outcome, a row a comparison."""
        import pandas as pd

        there = set(table["task"])
        truth = {one: place for one, place in sorted(known.items()) if one in there}
        labelled = {"true_labels": pd.Series(truth)} if truth and not self.one_coin else {}
        model = self._model()
        with warnings.catch_warnings():
            # crowd-kit calls pandas in ways that pandas 4 will not know; the versions are bounded.
            warnings.simplefilter("ignore", DeprecationWarning)
            model.fit(table, **labelled)
        return model.probas_.reindex(columns=range(len(OUTCOMES)), fill_value=0.0).sort_index()

    def _model(self) -> Any:
        try:
            from crowdkit.aggregation import classification
        except ImportError as error:
            raise ConfigError(
                "annotate.aggregation: dawid_skene needs crowd-kit, which is not installed; run "
                "pip install 'tso-rounds[people]', or take majority"
            ) from error
        kind = classification.OneCoinDawidSkene if self.one_coin else classification.DawidSkene
        return kind(n_iter=self.iterations)


VARIANT = DawidSkene
