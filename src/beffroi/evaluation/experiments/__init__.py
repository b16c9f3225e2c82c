"""Experiments: pilots that must earn their survival. Registered before they start, judged at their end, stopped by default.

`collections` declares them; `registration` freezes what was promised; `observed` reads the town's own series; `life` moves
them from day to day; `closing` stops (and reopens) what they set up; `papers` writes what they leave.
"""
