"""Rating: the relation between the stage of a river and its discharge, and how it moves.

`gaugings` reads measurements, `curve` is the relation, `fitting` finds it for a stable period, `tracking` follows it
while the bed moves.
"""
