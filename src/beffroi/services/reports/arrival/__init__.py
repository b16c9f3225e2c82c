"""Arrival: what is decided for a report when it comes in, by the town's own table: who gets it, how soon, who reads it first."""
