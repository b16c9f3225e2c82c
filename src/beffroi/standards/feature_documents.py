"""Documents of OGC API - Features (17-069r4, Part 1; 18-058r1, Part 2) and DCAT-AP 3, from declarations. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from beffroi.model.collection import Collection, Field
from beffroi.model.instant import format_instant

__all__ = [
    "CONFORMANCE", "CRS84", "LAMBERT93", "LARGEST", "collection_document", "dcat", "link", "openapi", "schema_document",
]  # fmt: skip

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
LAMBERT93 = "http://www.opengis.net/def/crs/EPSG/0/2154"
LARGEST = 10_000
CONFORMANCE = (
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs",
)
_JSON_TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"}, "integer": {"type": "integer"}, "number": {"type": "number"},
    "boolean": {"type": "boolean"}, "date": {"type": "string", "format": "date"},
    "instant": {"type": "string", "format": "date-time"}, "json": {}, "reference": {"type": "integer"},
}  # fmt: skip
_SHAPES = {"point": "Point", "line": "LineString", "polygon": "Polygon", "any": "any"}
_LICENCES = {
    "etalab-2.0": "https://www.etalab.gouv.fr/licence-ouverte-open-licence/",
    "odbl-1.0": "https://opendatacommons.org/licenses/odbl/1-0/",
    "cc-by-4.0": "https://creativecommons.org/licenses/by/4.0/",
}
_TYPES = {
    "csv": ("text/csv", "CSV"), "geojson": ("application/geo+json", "GEOJSON"), "json": ("application/json", "JSON"),
    "parquet": ("application/vnd.apache.parquet", "PARQUET"),
}  # fmt: skip


def link(href: str, rel: str, media: str, title: str = "") -> dict[str, str]:
    """Return a link object."""
    return {"href": href, "rel": rel, "type": media, **({"title": title} if title else {})}


def licence_of(collection: Collection) -> str:
    """Return the address of the collection's licence."""
    return _LICENCES.get(collection.licence, collection.licence)


def collection_document(
    base: str, collection: Collection, language: str,
    box: tuple[float, float, float, float] | None, span: tuple[int, int] | None,
) -> dict[str, Any]:  # fmt: skip
    """Return the description of a collection; `base` is the address of the site."""
    name, title = collection.name, collection.title.of(language)
    own = f"{base}/ogc/collections/{name}"
    extent: dict[str, Any] = {}
    if box is not None:
        extent["spatial"] = {"bbox": [list(box)], "crs": CRS84}
    if span is not None:
        extent["temporal"] = {"interval": [[format_instant(us) for us in span]]}
    spatial = collection.geometry != "none"
    return {
        "id": name,
        "title": title,
        "description": collection.description.of(language) or title,
        **({"extent": extent} if extent else {}),
        "itemType": "feature",
        **({"crs": [CRS84, LAMBERT93], "storageCrs": CRS84} if spatial else {}),
        "links": [
            link(own, "self", "application/json", title),
            link(f"{own}/items", "items", "application/geo+json", title),
            link(f"{own}/schema", "describedby", "application/schema+json"),
            link(f"{base}/donnees/{name}", "alternate", "text/html", title),
            link(f"{base}/donnees/{name}.csv", "enclosure", "text/csv", "CSV"),
            link(
                f"{base}/donnees/{name}.parquet", "enclosure", "application/vnd.apache.parquet", "GeoParquet"
            ),
            link(licence_of(collection), "license", "text/html"),
        ],
    }


def _property(field: Field, language: str) -> dict[str, Any]:
    said = {"title": field.title.of(language), **_JSON_TYPES[field.kind]}
    if field.choices:
        said["enum"] = [c.value for c in field.choices]
    if field.minimum is not None:
        said["minimum"] = field.minimum
    if field.maximum is not None:
        said["maximum"] = field.maximum
    if field.unit:
        said["x-unit"] = field.unit
    return said


def schema_document(
    base: str, collection: Collection, fields: Iterable[Field], language: str
) -> dict[str, Any]:
    """Return the JSON schema of the features' properties."""
    properties = {f.name: _property(f, language) for f in fields}
    properties |= {
        "_territory": {"type": "string"},
        "_created": _JSON_TYPES["instant"],
        "_updated": _JSON_TYPES["instant"],
    }
    if collection.geometry != "none":
        shape = _SHAPES[collection.geometry].lower()
        properties["geometry"] = {"format": f"geometry-{shape}", "x-ogc-role": "primary-geometry"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"{base}/ogc/collections/{collection.name}/schema",
        "type": "object", "title": collection.title.of(language), "properties": properties,
    }  # fmt: skip


# --- OpenAPI.


def _parameter(
    name: str, schema: Mapping[str, Any], description: str, *, explode: bool = True
) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "style": "form", "explode": explode,
            "schema": dict(schema), "description": description}  # fmt: skip


_BOX = {
    "type": "array",
    "oneOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}],
    "items": {"type": "number"},
}
_LIMIT = {"type": "integer", "minimum": 1, "maximum": LARGEST, "default": 100}
COMMON = (
    _parameter("limit", _LIMIT, "How many features at most.", explode=False),
    _parameter("bbox", _BOX, "Only features that touch this box.", explode=False),
    _parameter("bbox-crs", {"type": "string", "format": "uri"}, "Reference system of bbox.", explode=False),
    _parameter("crs", {"type": "string", "format": "uri"}, "Reference system of the answer.", explode=False),
    _parameter(
        "datetime",
        {"type": "string"},
        "Only features last changed in this interval (RFC 3339, `..` is open).",
        explode=False,
    ),
    _parameter(
        "after", {"type": "string"}, "Where the page starts, as a `next` link gives it.", explode=False
    ),
)


def _answer(description: str, media: str = "application/json") -> dict[str, Any]:
    problem = {"description": "What is wrong, where, and how to mend it (RFC 9457).",
               "content": {"application/problem+json": {"schema": {"type": "object"}}}}  # fmt: skip
    return {
        "200": {"description": description, "content": {media: {"schema": {"type": "object"}}}},
        "default": problem,
    }


def _get(
    name: str, summary: str, media: str = "application/json", parameters: Iterable[Any] = ()
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "tags": ["features"],
        "responses": _answer(summary, media),
    }
    listed = list(parameters)
    return {"get": {**operation, "parameters": listed} if listed else operation}


def openapi(
    base: str,
    title: str,
    version: str,
    collections: Iterable[tuple[Collection, tuple[Field, ...]]],
    language: str,
) -> dict[str, Any]:
    """Return the OpenAPI 3.0 document of the features."""
    paths: dict[str, Any] = {
        "/": _get("getLandingPage", "Landing page"),
        "/conformance": _get("getConformance", "Conformance classes"),
        "/collections": _get("getCollections", "Collections"),
    }
    identifier = {"name": "featureId", "in": "path", "required": True, "schema": {"type": "string"}}
    crs = [p for p in COMMON if p["name"] == "crs"]
    for collection, fields in collections:
        name = collection.name
        own = [_parameter(f.name, _JSON_TYPES[f.kind], f.title.of(language), explode=False)
               for f in fields if f.personal is None and f.kind != "json"]  # fmt: skip
        said = collection.title.of(language)
        paths[f"/collections/{name}"] = _get(f"describe.{name}", said)
        paths[f"/collections/{name}/schema"] = _get(f"schema.{name}", said, "application/schema+json")
        paths[f"/collections/{name}/items"] = _get(
            f"items.{name}", said, "application/geo+json", [*COMMON, *own]
        )
        paths[f"/collections/{name}/items/{{featureId}}"] = _get(
            f"item.{name}", said, "application/geo+json", [identifier, *crs]
        )
    return {
        "openapi": "3.0.3", "info": {"title": title, "version": version, "license": {"name": "EUPL-1.2"}},
        "servers": [{"url": f"{base}/ogc"}], "tags": [{"name": "features"}], "paths": paths,
    }  # fmt: skip


# --- DCAT-AP 3.


def _said(collection: Collection, which: str) -> list[dict[str, str]]:
    text = getattr(collection, which)
    return [{"@language": "fr", "@value": text.fr}, {"@language": "en", "@value": text.en}]


def _dataset(
    base: str, collection: Collection, box: tuple[float, float, float, float] | None, updated_us: int | None
) -> dict[str, Any]:
    name = collection.name
    kinds = [k for k in _TYPES if k != "geojson" or collection.geometry != "none"]
    licence = licence_of(collection)
    files = [
        {
            "@id": f"{base}/donnees/{name}.{kind}", "@type": "dcat:Distribution", "dct:title": kind.upper(),
            "dcat:accessURL": {"@id": f"{base}/donnees/{name}"}, "dcat:downloadURL": {"@id": f"{base}/donnees/{name}.{kind}"},
            "dcat:mediaType": {"@id": f"https://www.iana.org/assignments/media-types/{_TYPES[kind][0]}"},
            "dct:format": {"@id": f"http://publications.europa.eu/resource/authority/file-type/{_TYPES[kind][1]}"},
            "dct:license": {"@id": licence},
        }
        for kind in kinds
    ]  # fmt: skip
    service = {
        "@id": f"{base}/ogc/collections/{name}/items", "@type": "dcat:Distribution", "dct:title": "OGC API - Features",
        "dcat:accessURL": {"@id": f"{base}/ogc/collections/{name}"}, "dcat:accessService": {"@id": f"{base}/ogc"},
        "dct:conformsTo": {"@id": "http://www.opengis.net/def/interface/ogcapi-features"}, "dct:license": {"@id": licence},
    }  # fmt: skip
    dataset: dict[str, Any] = {
        "@id": f"{base}/ogc/collections/{name}", "@type": "dcat:Dataset", "dct:identifier": name,
        "dct:title": _said(collection, "title"),
        "dct:description": _said(collection, "description" if collection.description.fr else "title"),
        "dct:publisher": {"@id": f"{base}/#publisher"}, "dct:license": {"@id": licence},
        "dct:accessRights": {"@id": "http://publications.europa.eu/resource/authority/access-right/PUBLIC"},
        "dcat:landingPage": {"@id": f"{base}/donnees/{name}"}, "dcat:distribution": [*files, service],
    }  # fmt: skip
    if collection.schema:
        dataset["dct:conformsTo"] = {"@id": collection.schema}
    if updated_us is not None:
        dataset["dct:modified"] = {"@type": "xsd:dateTime", "@value": format_instant(updated_us)}
    if box is not None:
        west, south, east, north = box
        ring = ", ".join(
            f"{x} {y}" for x, y in ((west, south), (east, south), (east, north), (west, north), (west, south))
        )
        dataset["dct:spatial"] = {"@type": "dct:Location",
                                  "dcat:bbox": {"@type": "gsp:wktLiteral", "@value": f"POLYGON(({ring}))"}}  # fmt: skip
    return dataset


def dcat(
    base: str, town: str,
    datasets: Iterable[tuple[Collection, tuple[float, float, float, float] | None, int | None]],
) -> dict[str, Any]:  # fmt: skip
    """Return the DCAT-AP catalogue (JSON-LD) of the public collections: box and last change of each."""
    made = [_dataset(base, collection, box, updated) for collection, box, updated in datasets]
    return {
        "@context": {
            "dcat": "http://www.w3.org/ns/dcat#", "dct": "http://purl.org/dc/terms/", "foaf": "http://xmlns.com/foaf/0.1/",
            "gsp": "http://www.opengis.net/ont/geosparql#", "xsd": "http://www.w3.org/2001/XMLSchema#",
        },
        "@id": f"{base}/ogc/dcat", "@type": "dcat:Catalog",
        "dct:title": [{"@language": "fr", "@value": f"Données de {town}"}, {"@language": "en", "@value": f"Data of {town}"}],
        "dct:description": [{"@language": "fr", "@value": f"Les données ouvertes de {town}."},
                            {"@language": "en", "@value": f"The open data of {town}."}],
        "dct:language": [{"@id": f"http://publications.europa.eu/resource/authority/language/{code}"} for code in ("FRA", "ENG")],
        "dct:publisher": {"@id": f"{base}/#publisher", "@type": "foaf:Agent", "foaf:name": town},
        "foaf:homepage": {"@id": f"{base}/"},
        "dcat:service": [{
            "@id": f"{base}/ogc", "@type": "dcat:DataService", "dct:title": "OGC API - Features",
            "dcat:endpointURL": {"@id": f"{base}/ogc"}, "dcat:endpointDescription": {"@id": f"{base}/ogc/api"},
            "dcat:servesDataset": [{"@id": dataset["@id"]} for dataset in made],
        }],
        "dcat:dataset": made,
    }  # fmt: skip
