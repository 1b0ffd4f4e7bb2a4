"""What Prometheus is told: one module a source, put together by `families`."""
