"""What `make demo` and the tests bring up: embedded servers, seed, offline stand-ins, a simulated bot."""
