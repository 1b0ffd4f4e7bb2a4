"""Finding one's way in a report."""

from __future__ import annotations

from cache_layer.doctor import Finding, Report


def of(report: Report, name: str) -> Finding:
    return next(finding for finding in report.findings if finding.name == name)
