"""Figures measured side by side in one run (`python -m benchmarks`), and the long run under faults (`.soak`)."""
