"""Open311 of the town: the GeoReport v2 server, a client that mirrors another one, and files of other systems."""
