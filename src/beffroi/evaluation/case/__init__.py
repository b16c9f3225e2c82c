"""Business case: what a service costs, who pays, who gains, and whether it still holds with what was measured.

Everything here is pure: a document goes in, figures come out; the store and the clock stay outside.
"""
