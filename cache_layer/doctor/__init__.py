"""`python -m cache_layer doctor`: whether the layer, set up as the environment says, would do its work here and now.

It looks at the settings, then at Redis, then writes and reads back each cache that is on, through the same interface as
the bot. All that it writes is under a prefix of its own, in which there is no person, no lock and no turn of the bot's,
and is removed again. Nothing that it says holds a secret or is about a person.
"""

from cache_layer.doctor.examination import examine
from cache_layer.doctor.report import SETTINGS_WRONG, Finding, Report

__all__ = ["SETTINGS_WRONG", "Finding", "Report", "examine"]
