"""`/donnees/apporter`: a file dropped on the page, from what it seems to be to the map, and back."""

from beffroi.web.site.bring import matching, receiving, remembered

__all__ = ["ROUTES"]

# the words before the numbers: `/donnees/apporter/correspondances` is not a file
ROUTES = [*remembered.ROUTES, *receiving.ROUTES, *matching.ROUTES]
