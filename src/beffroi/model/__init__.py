"""The nouns of Beffroi: frozen, typed, no I/O, no framework."""
