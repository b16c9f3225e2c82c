"""Impact studies: did it change anything, how sure are we, and what could we have seen?

Pure: numbers in, a `Finding` out; no store, no clock. `reading` makes a `Panel` of a file; one module a design.
"""
