"""Open311 GeoReport v2: its nouns, its XML and JSON both ways, its arguments.

Source: wiki.open311.org/GeoReport_v2 (2011) and the v2.1 draft; `page`, `page_size`, `extensions` and
`servicerequestupdates` as SeeClickFix, Chicago and FixMyStreet use them. A server and a client stand on this
package; it knows no network and no store.
"""
