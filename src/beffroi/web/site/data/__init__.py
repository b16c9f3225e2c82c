"""`/donnees`: every collection as a table, a map, files, forms and an import, from its declaration alone."""

from beffroi.web.site.data import changes, files, forms, imports, lists, record

__all__ = ["ROUTES"]

# the more precise address first: `/donnees/lamp.csv` is not a collection called "lamp.csv"
ROUTES = [*files.ROUTES, *changes.ROUTES, *imports.ROUTES, *forms.ROUTES, *record.ROUTES, *lists.ROUTES]
