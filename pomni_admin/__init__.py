"""Pomni Admin: live operations of the Pomni bot."""
