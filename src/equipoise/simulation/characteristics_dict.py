"""Operating characteristics as JSON holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..sequential import Decision
from .histograms import PERCENTS
from .tally import ESTIMATORS

if TYPE_CHECKING:
    from .characteristics import OperatingCharacteristics

__all__ = ["as_dict"]


def as_dict(found: OperatingCharacteristics) -> dict[str, Any]:
    """All there is but the trials themselves; infinities and NaN are still numbers here."""
    primary, looks = found.context.primary, range(1, found.looks + 1)
    estimators = [name for name in ESTIMATORS if found.estimates(name).estimated]
    type_one = found.type_one_error
    able = [aim.name for aim in found.context.aims if aim.has_number_needed_to_treat]
    return {
        "protocol": found.protocol,
        "protocol_hash": found.protocol_hash,
        "version": found.version,
        "scenario": found.scenario,
        "seed": found.seed,
        "stream": found.stream,
        "trials": found.trials,
        "planned_trials": found.planned_trials,
        "complete": found.complete,
        "precision": found.precision,
        "primary_endpoint": primary.name,
        "scale": primary.scale.value,
        "true_effect": primary.truth,
        "null_value": primary.null_value,
        "confidence_level": found.context.level,
        "power": found.power.to_dict(),
        "rejection_either_direction": found.rejection.to_dict(),
        "type_one_error": None if type_one is None else type_one.to_dict(),
        "ends_at_look": [rate.to_dict() for rate in found.stopping],
        "ends_at_look_by_reason": {
            reason: [rate.to_dict() for rate in rates] for reason, rates in found.stopping_by_reason.items()
        },
        "expected_patients": found.expected_patients,
        "patients_at_the_end": {
            what if what != "due" else f"{found.context.unit}_due": found.patients(what).to_dict()
            for what in ("randomised", "due", "observed")
        },
        "patients_randomised_by_ending_look": [found.patients(look=look).to_dict() for look in looks],
        "duration_in_days": found.duration().to_dict(),
        "duration_in_days_by_ending_look": [found.duration(look).to_dict() for look in looks],
        "day_of_look": [found.look_day(look).to_dict() for look in looks],
        "missing_share_of_primary": found.missing.to_dict(),
        "mean_observed_effect": found.mean_effect,
        "mean_observed_effect_given_efficacy_at_look": [found.mean_effect_at(look) for look in looks],
        "estimates": {name: _estimates(found, name) for name in estimators},
        "z_quantiles_by_look": {
            str(percent): column for percent, column in zip(PERCENTS, found.z_quantiles().T.tolist(), strict=True)
        },
        "number_needed_to_treat_given_efficacy": {
            name: {f"at_most_{value}": found.probability_nnt_at_most(value, name).to_dict() for value in (3, 5, 10)}
            for name in able
        },
        "secondary_endpoints": {name: one.to_dict() for name, one in found.secondary.items()},
        "looks_not_analysed": found.failures,
        "reasons_not_analysed": found.failure_reasons,
    }


def _estimates(found: OperatingCharacteristics, name: str) -> dict[str, Any]:
    looks, efficacy = range(1, found.looks + 1), (Decision.EFFICACY,)
    return {
        "all_trials": found.estimates(name).to_dict(),
        "given_efficacy": found.estimates(name, decisions=efficacy).to_dict(),
        "by_ending_look": [found.estimates(name, look).to_dict() for look in looks],
        "given_efficacy_at_look": [found.estimates(name, look, efficacy).to_dict() for look in looks],
    }
