"""Vigicrues, both ways: `polling` reads the State's flood vigilance, `serving` answers its shapes with the town's own."""
