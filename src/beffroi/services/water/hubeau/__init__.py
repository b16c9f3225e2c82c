"""Hub'Eau hydrométrie v2, both ways: `polling` reads the State's, `serving` answers as it does with the town's own."""
