"""TALQ 2.7.1: a central management system for outdoor lighting networks of any maker (TALQ Consortium, 2026)."""
