"""Bringing: a file that a person drops on the page, from what it seems to be to what it became, and back."""
