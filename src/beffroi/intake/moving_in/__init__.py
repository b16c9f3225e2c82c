"""Moving in: a real town's ground (limits, streets, addresses, buildings, water, stations) from French public data."""
