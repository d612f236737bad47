"""Section `planning` of params.yaml: hours, prices with date and source, published times."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, fields

from fonoteka.core.errors import UserError

OLD_DAYS = 365
"""Prices of an earlier day are reported: cloud prices changed four times in half of 2026."""


@dataclass(frozen=True)
class PriceParams:
    """Prices in euros.

    Attributes:
        date: ISO date on which they were collected.
        cpu_core_hour_eur: one core for one hour.
        gpu_hour_eur: one GPU for one hour, by its kind.
        storage_gb_month_eur: 10^9 bytes for one month.
        sources: where each price is from, with the date of the source, by the name of the price.
    """

    date: str
    cpu_core_hour_eur: float
    gpu_hour_eur: dict[str, float]
    storage_gb_month_eur: float
    sources: dict[str, str]

    def __post_init__(self) -> None:
        _iso_date(self.date, "planning.prices.date")
        names = {field.name for field in fields(self)} - {"date", "sources"}
        if names != set(self.sources):
            raise UserError(
                f"planning.prices.sources: expected a source for each of {sorted(names)}, found "
                f"{sorted(self.sources)}; correct params.yaml"
            )
        amounts = [self.cpu_core_hour_eur, self.storage_gb_month_eur, *self.gpu_hour_eur.values()]
        if min(amounts) < 0:
            raise UserError(
                f"planning.prices: a price of {min(amounts)} is below 0; correct params.yaml"
            )

    def days_old(self, today: datetime.date) -> int:
        """Return the age of the prices in days."""
        return (today - datetime.date.fromisoformat(self.date)).days


@dataclass(frozen=True)
class PublishedParams:
    """A training on a GPU that others have measured and published.

    Attributes:
        model: of PLANNING.md, whose training it stands for.
        gpu: its kind, as in the prices.
        audio_h: hours of training speech.
        gpu_h: hours of that GPU.
        date: of the publication, in ISO.
        source: where it is published.
        remark: what the source does or does not state.
    """

    model: str
    gpu: str
    audio_h: float
    gpu_h: float
    date: str
    source: str
    remark: str

    def __post_init__(self) -> None:
        _iso_date(self.date, "planning.published: date")
        if self.audio_h <= 0:
            raise UserError(
                f"planning.published: audio_h must be above 0, found {self.audio_h}; correct "
                "params.yaml"
            )


@dataclass(frozen=True)
class PlanningParams:
    """Section `planning`.

    Attributes:
        hours: of speech that are planned for.
        max_error: largest relative error of a forecast that `planning check` accepts.
        passes: passes over the training split by stage, if not as many as in the build.
        prices: in euros.
        published: trainings on GPUs.
    """

    hours: tuple[float, ...]
    max_error: float
    passes: dict[str, float]
    prices: PriceParams
    published: tuple[PublishedParams, ...]

    def __post_init__(self) -> None:
        if not self.hours or min(self.hours) <= 0:
            raise UserError(
                f"planning.hours: expected numbers above 0, found {list(self.hours)}; correct "
                "params.yaml"
            )
        if unpriced := sorted({p.gpu for p in self.published} - set(self.prices.gpu_hour_eur)):
            raise UserError(
                f"planning.prices.gpu_hour_eur: no price for {unpriced[0]!r}, which "
                "planning.published names; add it to params.yaml"
            )


def _iso_date(text: str, place: str) -> None:
    try:
        datetime.date.fromisoformat(text)
    except ValueError as error:
        raise UserError(
            f"{place}: expected a date such as 2026-11-30, found {text!r}; correct params.yaml"
        ) from error
