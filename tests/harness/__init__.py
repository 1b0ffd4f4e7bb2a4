"""What tests run against: real servers, real processes, a real browser. One set for each worker of pytest-xdist."""
