"""Photos: cut of their metadata when they arrive, made again from pixels before anyone sees them."""
