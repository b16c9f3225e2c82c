"""Sobriety: what a service consumes, and what it could do without, always beside what would be lost. Pure."""
