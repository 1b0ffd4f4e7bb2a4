"""Invented people, conversations and payments for the demo and for tests: the same rows for the same number."""
