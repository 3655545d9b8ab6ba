"""How thoroughly properties are tested: `make test` as they say, `make quick` with few examples."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# No deadlines: how long an example takes says more about the machine than about the code.
settings.register_profile("thorough", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("thorough"), max_examples=15)
settings.load_profile("thorough")
