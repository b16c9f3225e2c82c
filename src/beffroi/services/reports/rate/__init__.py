"""How fast people report what exists: the rate λ of Liu, Bhandaram & Garg (Nature Computational Science, 2024).

An incident is reported, while it lasts, by a Poisson process; from its first report until a stopping time one counts
the *further* reports by other people. No ground truth is needed: only duplicates with their times.
"""
