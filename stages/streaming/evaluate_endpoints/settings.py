"""The section `evaluate_endpoints` of params.yaml."""

from __future__ import annotations

from dataclasses import dataclass

from fonoteka.core.errors import UserError
from fonoteka.streaming.endpoint import EndpointParams
from stages.streaming.evaluate_endpoints.joined_streams import UtteranceJoinParams


@dataclass(frozen=True)
class EvaluateEndpointsParams:
    """Section `evaluate_endpoints`.

    Attributes:
        join: pauses, noises and levels of the streams.
        valid_utterances: number to join for the choice of parameters, at least.
        test_utterances: number to join for the scores, at least; fewer if there are few clips.
        commit_lag_s: from the end of a phone to its commit.
        thresholds: to choose from, for detectors with probabilities.
        release_below: to choose from: how far the release is below the threshold.
        max_over_rule2_s: 90 % quantile of the delay beyond rule 2 that is short enough.
        rule2_silence_s: lengths of rule 2 whose errors on validation utterances are reported;
            below the pauses.
        digits: decimals in the report.
    """

    join: UtteranceJoinParams
    valid_utterances: int
    test_utterances: int
    commit_lag_s: float
    thresholds: tuple[float, ...]
    release_below: tuple[float, ...]
    max_over_rule2_s: float
    rule2_silence_s: tuple[float, ...]
    digits: int

    def __post_init__(self) -> None:
        if min(self.valid_utterances, self.test_utterances) < 1:
            raise UserError(
                "evaluate_endpoints: valid_utterances and test_utterances must be at least 1, "
                f"found {self.valid_utterances} and {self.test_utterances}; change them in "
                "params.yaml"
            )
        if not self.thresholds or not self.release_below:
            raise UserError(
                "evaluate_endpoints: thresholds and release_below need a value each; add them in "
                "params.yaml"
            )
        rule2_s = max(EndpointParams().rule2_silence_s, *self.rule2_silence_s)
        if not rule2_s < self.join.pause_min_s:
            raise UserError(
                f"evaluate_endpoints: join.pause_min_s {self.join.pause_min_s} must be above the "
                f"silence of rule 2, {rule2_s}, else no pause can have an endpoint; change it in "
                "params.yaml"
            )
        if not 0 <= min(self.release_below) <= max(self.release_below) < min(self.thresholds):
            raise UserError(
                f"evaluate_endpoints: release_below must be 0 to the lowest threshold, "
                f"{min(self.thresholds)}, found {list(self.release_below)}; change it in "
                "params.yaml"
            )
