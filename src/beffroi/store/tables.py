"""The house's own tables (SQLAlchemy Core), the same on SQLite and PostgreSQL.

Catalogue and house tables live in the default schema; observations live in schema `obs` (an attached
file on SQLite, so that their group commit never waits for an edit of a record). Times are integer
microseconds UTC; JSON is text. Collections' tables are derived from their declarations (`records.py`).
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

__all__ = ["SQLITE_INTEGER_KEY", "metadata", "obs_metadata"]

metadata = MetaData()
obs_metadata = MetaData(schema="obs")
SQLITE_INTEGER_KEY = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", SQLITE_INTEGER_KEY, primary_key=True, autoincrement=False)


def _big(name: str, *args: object, **options: object) -> Column[int]:
    return Column(name, BigInteger, *args, **options)  # type: ignore[arg-type]


def _link(target: str, *, nullable: bool = False, cascade: bool = True) -> Column[int]:
    name = target.split(".", maxsplit=1)[0] + "_id"
    rule = "CASCADE" if cascade else None
    return Column(name, BigInteger, ForeignKey(target, ondelete=rule), nullable=nullable, index=True)


def _seq() -> Column[int]:
    """Return the number of the commit that changed a row last."""
    return _big("seq", nullable=False, server_default="0")


# One row per sequence ("record" for the catalogue, records and house; "observation" in obs): the next number.
counter = Table("counter", metadata, Column("name", Text, primary_key=True), _big("next", nullable=False))
setting = Table(
    "setting", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False)
)
territory = Table(
    "territory", metadata,
    Column("code", Text, primary_key=True), Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False, server_default="commune"), Column("parent", Text),
    Column("geometry", Text), Column("settings", Text, nullable=False, server_default="{}"),
)  # fmt: skip

# --- SensorThings entities (18-088 §8.2). `key` is the outside identity (devEUI, CSV procedure): unique when given.
thing = Table(
    "thing", metadata, _id(), Column("name", Text, nullable=False), Column("description", Text, nullable=False),
    Column("properties", Text), Column("territory", Text), Column("service", Text, nullable=False, server_default=""),
    Column("key", Text, unique=True), Column("approved", Integer, nullable=False, server_default="1"),
    Column("public", Integer, nullable=False, server_default="1"),
    Column("collection", Text), _big("record_id"),  # the record that this thing is (a lamp, a gauge), if any
    _big("seq", nullable=False, server_default="0"),
    Index("thing_record", "collection", "record_id"),
)  # fmt: skip
_encoded = ("minx", "miny", "maxx", "maxy")
location = Table(
    "location", metadata, _id(), Column("name", Text, nullable=False), Column("description", Text, nullable=False),
    Column("encoding_type", Text, nullable=False), Column("location", Text, nullable=False),
    Column("properties", Text), *(Column(c, Float) for c in _encoded), _seq(),
)  # fmt: skip
thing_location = Table(
    "thing_location", metadata,
    Column("thing_id", BigInteger, ForeignKey("thing.id", ondelete="CASCADE"), primary_key=True),
    Column("location_id", BigInteger, ForeignKey("location.id", ondelete="CASCADE"), primary_key=True, index=True),
)  # fmt: skip
historical_location = Table(
    "historical_location", metadata, _id(), _big("time_us", nullable=False), _link("thing.id"), _seq()
)
historical_location_location = Table(
    "historical_location_location", metadata,
    Column("historical_location_id", BigInteger, ForeignKey("historical_location.id", ondelete="CASCADE"), primary_key=True),
    Column("location_id", BigInteger, ForeignKey("location.id", ondelete="CASCADE"), primary_key=True, index=True),
)  # fmt: skip
sensor = Table(
    "sensor", metadata, _id(), Column("name", Text, nullable=False), Column("description", Text, nullable=False),
    Column("encoding_type", Text, nullable=False), Column("metadata", Text, nullable=False), Column("properties", Text),
    _seq(),
)  # fmt: skip
observed_property = Table(
    "observed_property", metadata, _id(), Column("name", Text, nullable=False), Column("definition", Text, nullable=False),
    Column("description", Text, nullable=False), Column("properties", Text), _seq(),
)  # fmt: skip
feature_of_interest = Table(
    "feature_of_interest", metadata, _id(), Column("name", Text, nullable=False), Column("description", Text, nullable=False),
    Column("encoding_type", Text, nullable=False), Column("feature", Text, nullable=False), Column("properties", Text),
    _big("location_id", index=True),  # made from this Location when an Observation named no feature
    *(Column(c, Float) for c in _encoded), _seq(),
)  # fmt: skip
datastream = Table(
    "datastream", metadata, _id(), Column("name", Text, nullable=False), Column("description", Text, nullable=False),
    Column("observation_type", Text, nullable=False),
    Column("unit_name", Text), Column("unit_symbol", Text), Column("unit_definition", Text),
    Column("observed_area", Text), Column("properties", Text),
    _link("thing.id"), _link("sensor.id"), _link("observed_property.id"),
    Column("key", Text, unique=True), Column("kind", Text, nullable=False, server_default=""),
    _big("expected_interval_us"), Column("public", Integer, nullable=False, server_default="1"),
    _big("seq", nullable=False, server_default="0"),
    # A MultiDatastream (18-088 §10): the types and units of its components, JSON arrays. NULL: a plain Datastream.
    # Its observed_property_id is that of the first component.
    Column("multi", Text), Column("multi_units", Text),
)  # fmt: skip
multi_datastream_property = Table(  # the observed properties of a MultiDatastream, in order
    "multi_datastream_property", metadata,
    Column("datastream_id", BigInteger, ForeignKey("datastream.id", ondelete="CASCADE"), primary_key=True),
    Column("rank", Integer, primary_key=True, autoincrement=False),
    Column("observed_property_id", BigInteger, ForeignKey("observed_property.id", ondelete="CASCADE"), nullable=False, index=True),
)  # fmt: skip

# --- Versions: what the catalogue and the observations were before they were changed (`versions.py`).
_VERSIONED = (
    thing, location, thing_location, historical_location, historical_location_location, sensor, observed_property,
    feature_of_interest, datastream, multi_datastream_property,
)  # fmt: skip


def _past(name: str, of: Table) -> Table:
    """Return the table of the earlier states of a table's rows: its columns, from when until when, by whom and why."""
    columns = [Column(c.name, c.type, nullable=c.nullable) for c in of.c if c.name != "since_us"]
    first = next(c.name for c in of.primary_key)
    return Table(
        name, of.metadata, *columns, _big("since_us", nullable=False), _big("until_us", nullable=False, index=True),
        Column("action", Text, nullable=False), Column("author", Text, nullable=False),
        Column("reason", Text, nullable=False), Index(f"{name}_of", first),
    )  # fmt: skip


for _table in _VERSIONED:
    _table.append_column(_big("since_us", nullable=False, server_default="0"))  # since when it is as it is
past: dict[str, Table] = {t.name: _past(f"{t.name}_version", t) for t in _VERSIONED}

# --- Tasking (17-079r1): what can be commanded, and each command with its life.
actuator = Table(
    "actuator", metadata, _id(), Column("name", Text, nullable=False), Column("description", Text, nullable=False),
    Column("encoding_type", Text, nullable=False), Column("metadata", Text, nullable=False), Column("properties", Text), _seq(),
)  # fmt: skip
tasking_capability = Table(
    "tasking_capability", metadata, _id(), Column("name", Text, nullable=False), Column("description", Text, nullable=False),
    Column("properties", Text), Column("tasking_parameters", Text, nullable=False), _link("thing.id"), _link("actuator.id"), _seq(),
)  # fmt: skip
for _table in (actuator, tasking_capability):
    _table.append_column(_big("since_us", nullable=False, server_default="0"))
    past[_table.name] = _past(f"{_table.name}_version", _table)
task = Table(
    "task", metadata, _id(), Column("tasking_parameters", Text, nullable=False), _big("created_us", nullable=False),
    _link("tasking_capability.id"), Column("properties", Text),
    Column("state", Text, nullable=False, server_default="created"), Column("error", Text),
    Column("author", Text, nullable=False, server_default=""), Column("key", Text, unique=True),  # idempotency
    _big("due_us"), _big("expires_us"), _big("changed_us"), Column("attempts", Integer, nullable=False, server_default="0"),
    Column("steps", Text, nullable=False, server_default="[]"),  # JSON: what became of it, and when
    _seq(), Index("task_due", "state", "due_us"),
)  # fmt: skip

# --- MQTT: what the embedded broker owes its clients when it starts again.
mqtt_session = Table(
    "mqtt_session", metadata, Column("who", Text, primary_key=True), Column("client", Text, primary_key=True),
    Column("told", Text, nullable=False),  # JSON: principal, subscriptions, how long it is kept
    _big("ends_us"),
)  # fmt: skip
mqtt_message = Table(
    "mqtt_message", metadata, Column("who", Text, primary_key=True), Column("client", Text, primary_key=True),
    _big("number", primary_key=True, autoincrement=False), Column("told", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)  # fmt: skip
mqtt_retained = Table(
    "mqtt_retained", metadata, Column("topic", Text, primary_key=True), Column("told", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)  # fmt: skip

# --- History of records: the bus that rules, search and live pages read (one row per committed change).
history = Table(
    "history", metadata, Column("seq", SQLITE_INTEGER_KEY, primary_key=True, autoincrement=False),
    Column("collection", Text, nullable=False), _big("record_id", nullable=False), Column("version", Integer, nullable=False),
    Column("action", Text, nullable=False),  # create, update, delete, restore, erase
    _big("at_us", nullable=False), Column("author", Text, nullable=False), Column("reason", Text, nullable=False, server_default=""),
    _big("change_set", nullable=False),  # changes made together, undone together
    Column("before", Text), Column("after", Text),  # JSON of stored values (personal ones stay encrypted)
    Index("history_record", "collection", "record_id", "version"), Index("history_change_set", "change_set"),
)  # fmt: skip
person_key = Table("person_key", metadata, _id(), Column("wrapped", LargeBinary))  # NULL: erased
stored_file = Table(  # what `store/files.py` holds: one row for one content, dropped with its key
    "stored_file", metadata, Column("name", Text, primary_key=True), Column("path", Text, nullable=False),
    _big("size", nullable=False), Column("media_type", Text, nullable=False), _big("created_us", nullable=False),
    Column("wrapped", LargeBinary, nullable=False), Column("uses", Integer, nullable=False),
)  # fmt: skip
sighting = Table(  # that something came from a source lately (keyed digests, forgotten after a day): rates
    "sighting", metadata, Column("key", LargeBinary, nullable=False), _big("at_us", nullable=False),
    Index("sighting_key", "key", "at_us"), Index("sighting_at", "at_us"),
)  # fmt: skip
saved_view = Table(
    "saved_view", metadata, _id(), Column("collection", Text, nullable=False), Column("name", Text, nullable=False),
    Column("owner", Text, nullable=False), Column("query", Text, nullable=False), Column("shared", Integer, nullable=False, server_default="0"),
)  # fmt: skip
declared = Table(  # what each collection's table was last built from
    "declared", metadata, Column("collection", Text, primary_key=True), Column("fingerprint", Text, nullable=False),
    Column("declaration", Text, nullable=False),
)  # fmt: skip
job = Table(
    "job", metadata, _id(), Column("kind", Text, nullable=False), Column("key", Text, unique=True),
    Column("payload", Text, nullable=False), Column("state", Text, nullable=False, server_default="waiting"),
    _big("due_us", nullable=False), _big("leased_until_us"), Column("attempts", Integer, nullable=False, server_default="0"),
    Column("progress", Text), Column("error", Text), Column("owner", Text),
    Index("job_due", "state", "due_us"),
)  # fmt: skip
brought = Table(  # the files that people bring: what is known of each, what is to be done, what became of it
    "brought", metadata, _id(), Column("name", Text, nullable=False), Column("owner", Text, nullable=False),
    _big("at_us", nullable=False), Column("state", Text, nullable=False), Column("shape", Text, nullable=False, server_default=""),
    _big("mapping_id"), _big("leased_until_us"), Column("told", Text, nullable=False),  # JSON, see `intake/bringing`
    Index("brought_state", "state"),
)  # fmt: skip
file_mapping = Table(  # how the columns of files of one shape are matched by a commune ("": by all), for the next of them
    "file_mapping", metadata, _id(), Column("shape", Text, nullable=False), Column("name", Text, nullable=False),
    Column("plan", Text, nullable=False), Column("owner", Text, nullable=False), _big("used_us", nullable=False),
    Column("uses", Integer, nullable=False, server_default="1"), Column("territory", Text, nullable=False, server_default=""),
    Column("file", Text, nullable=False, server_default=""),  # the words that the names of its files have in common
    UniqueConstraint("shape", "territory", "file"),
)  # fmt: skip
unfinished = (
    Table(  # change sets that are decided, and what they have yet to do to observations (`change_set.py`)
        "unfinished", metadata, _id(), _big("at_us", nullable=False), Column("body", Text, nullable=False)
    )
)
cursor = Table(
    "cursor", metadata, Column("name", Text, primary_key=True), Column("position", Text, nullable=False)
)

# --- What is read: how often each screen was shown in a day, by nobody in particular.
page_reading = Table(
    "page_reading", metadata, Column("place", Text, primary_key=True), _big("day", primary_key=True, autoincrement=False),
    Column("service", Text, nullable=False, server_default=""), Column("readings", Integer, nullable=False), _big("bytes", nullable=False),
    # what the page was like when last shown: bytes as sent, elements of its document, requests it makes
    Column("weight", Integer, nullable=False), Column("elements", Integer, nullable=False), Column("requests", Integer, nullable=False),
    Index("page_reading_day", "day"),
)  # fmt: skip

# --- People, keys, sessions (identity) and the audit.
account = Table(
    "account", metadata, _id(), Column("email", Text, nullable=False, unique=True), Column("name", Text, nullable=False),
    Column("role", Text, nullable=False), Column("territories", Text, nullable=False, server_default="[]"),
    Column("service", Text), Column("password", Text),  # argon2id; NULL: signs in by link only
    Column("language", Text, nullable=False, server_default="fr"), Column("disabled", Integer, nullable=False, server_default="0"),
    _big("created_us", nullable=False), _big("signed_in_us"),
)  # fmt: skip
token = Table(  # a key that a program holds; only its SHA-256 is kept
    "token", metadata, _id(), Column("hash", LargeBinary, nullable=False, unique=True), Column("prefix", Text, nullable=False),
    Column("name", Text, nullable=False), Column("role", Text, nullable=False), Column("service", Text),
    Column("territories", Text, nullable=False, server_default="[]"), Column("author", Text, nullable=False),
    _big("created_us", nullable=False), _big("expires_us"), _big("used_us"), _big("revoked_us"),
)  # fmt: skip
session = Table(
    "session", metadata, _id(), Column("hash", LargeBinary, nullable=False, unique=True), _link("account.id"),
    Column("agent", Text, nullable=False, server_default=""),
    _big("created_us", nullable=False), _big("seen_us", nullable=False), _big("expires_us", nullable=False),
)  # fmt: skip
sign_in_link = Table(
    "sign_in_link", metadata, Column("hash", LargeBinary, primary_key=True), _link("account.id"),
    _big("expires_us", nullable=False), _big("used_us"),
)  # fmt: skip
federated = Table(  # whom a provider of identity knows an account as (OpenID Connect: issuer and subject)
    "federated", metadata, Column("issuer", Text, primary_key=True), Column("subject", Text, primary_key=True),
    _link("account.id"), _big("created_us", nullable=False),
)  # fmt: skip
federated_session = Table(  # the session at the provider that a session here came from, for signing out together
    "federated_session", metadata,
    Column("session_id", BigInteger, ForeignKey("session.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("provider", Text, nullable=False), Column("issuer", Text, nullable=False), Column("subject", Text, nullable=False),
    Column("sid", Text), Column("id_token", LargeBinary, nullable=False),  # sealed
    Index("federated_session_subject", "issuer", "subject"),
)  # fmt: skip
second_factor = Table(  # a TOTP generator (RFC 6238), its secret sealed, and the last step that was used
    "second_factor", metadata,
    Column("account_id", BigInteger, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("secret", LargeBinary, nullable=False), _big("step", nullable=False), _big("created_us", nullable=False),
)  # fmt: skip
recovery_code = Table(  # each works once instead of the generator; only its keyed hash is kept
    "recovery_code", metadata, Column("hash", LargeBinary, primary_key=True), _link("account.id"), _big("used_us"),
)  # fmt: skip
extension = Table(  # services that came as a wheel: unpacked in `extensions/`, in use or not
    "extension", metadata, Column("name", Text, primary_key=True), Column("version", Text, nullable=False),
    Column("package", Text, nullable=False), Column("file", Text, nullable=False), Column("sha256", Text, nullable=False),
    _big("size", nullable=False), Column("enabled", Integer, nullable=False, server_default="0"),
    Column("author", Text, nullable=False), _big("installed_us", nullable=False), _big("changed_us", nullable=False),
)  # fmt: skip
attempt = Table(  # failed sign-ins, per account and per address (both only as keyed hashes)
    "attempt", metadata, Column("key", LargeBinary, primary_key=True), Column("failures", Integer, nullable=False),
    _big("last_us", nullable=False),
)  # fmt: skip
audit = Table(  # append-only; one hash chain per writer
    "audit", metadata, Column("writer", Text, primary_key=True), _big("number", primary_key=True, autoincrement=False),
    _big("at_us", nullable=False), Column("who", Text, nullable=False), Column("action", Text, nullable=False),
    Column("target", Text, nullable=False), Column("detail", Text, nullable=False), Column("hash", LargeBinary, nullable=False),
    Index("audit_time", "at_us"), Index("audit_target", "target"),
)  # fmt: skip
audit_head = Table(  # the last link of each chain, signed
    "audit_head", metadata, Column("writer", Text, primary_key=True), _big("number", nullable=False),
    Column("hash", LargeBinary, nullable=False), Column("signature", LargeBinary, nullable=False),
)  # fmt: skip

# --- Observations (schema obs).
obs_counter = Table(
    "counter", obs_metadata, Column("name", Text, primary_key=True), _big("next", nullable=False)
)


def _observation_columns() -> list[Column[Any]]:
    return [
        _id(), _big("datastream_id", nullable=False), _big("start_us", nullable=False), _big("end_us"),
        _big("result_time_us"), Column("value", Float), Column("decimals", Integer), Column("literal", Text),
        _big("feature_id"), Column("quality", Integer, nullable=False), Column("extra", Text), _big("seq"),  # seq NULL: equal to id
        Column("deleted", Integer),  # 1: a mark that hides a sealed observation
    ]  # fmt: skip


# What writers write. Readers read `observation` below.
fresh_row = Table(
    "observation", obs_metadata, *_observation_columns(),
    # SQLite's indexes end with the row's id by themselves: naming it would store it twice
    Index("observation_time", "datastream_id", "start_us").ddl_if(dialect="sqlite"),
    Index("observation_series", "datastream_id", "start_us", "id").ddl_if(dialect="postgresql"),
    Index("observation_corrected", "seq", sqlite_where=text("seq IS NOT NULL"), postgresql_where=text("seq IS NOT NULL")),
)  # fmt: skip
# Rows that a segment holds by now and that are being removed, a few thousand at a time so that writers come between:
# those that start in [first_us, end_us) and were committed up to `up_to`.
leaving = Table(
    "leaving", obs_metadata, _big("first_us", primary_key=True, autoincrement=False), _big("end_us", nullable=False),
    _big("up_to", primary_key=True, autoincrement=False),
)  # fmt: skip
# The fresh rows, without those that are leaving: a view, made by a migration.
observation = Table("fresh", MetaData(schema="obs"), *_observation_columns())
FRESH = (
    f"SELECT {', '.join(f'o.{c.name}' for c in observation.c)} FROM {{0}}observation o WHERE NOT EXISTS (SELECT 1 FROM {{0}}leaving)"
    " OR NOT EXISTS (SELECT 1 FROM {0}leaving l WHERE o.start_us >= l.first_us AND o.start_us < l.end_us AND o.id <= l.up_to"
    " AND coalesce(o.seq, 0) <= l.up_to)"
)
# One row per datastream: newest value and counts, kept in the same transaction as the rows.
latest = Table(
    "latest", obs_metadata, Column("datastream_id", SQLITE_INTEGER_KEY, primary_key=True, autoincrement=False),
    _big("observation_id"), _big("start_us"), _big("end_us"), _big("result_time_us"), Column("value", Float),
    Column("decimals", Integer), Column("literal", Text), _big("feature_id"), Column("quality", Integer), Column("extra", Text),
    _big("count", nullable=False), _big("first_us"), _big("received_us"),
)  # fmt: skip
past["observation"] = _past("observation_version", fresh_row)
pace = Table(  # when the observations from `first_id` on began to be stored, a few marks a second at most
    "pace", obs_metadata, Column("first_id", SQLITE_INTEGER_KEY, primary_key=True, autoincrement=False),
    _big("at_us", nullable=False),
)  # fmt: skip
source_key = Table(
    "source_key", obs_metadata, Column("key", LargeBinary, primary_key=True), _big("observation_id", nullable=False),
    _big("at_us", nullable=False), sqlite_with_rowid=False,
)  # fmt: skip
# Where observations came from: one row an uplink, a page, a batch of a file … and the ids that it brought.
provenance = Table(
    "provenance", obs_metadata, _id(), Column("kind", Text, nullable=False), _big("at_us", nullable=False),
    _big("first_id", nullable=False), _big("last_id", nullable=False),
    Column("runs", LargeBinary),  # which ids between them, when not all
    Column("told", Text, nullable=False),  # JSON: device, gateways, decoder, file, address, key, topic …
    Column("payload", Text), Index("provenance_last", "last_id"), Index("provenance_at", "at_us"),
)  # fmt: skip
segment = Table(  # the sealed history: Parquet files, listed here
    "segment", obs_metadata, _id(), Column("path", Text, nullable=False), _big("count", nullable=False),
    _big("bytes", nullable=False), Column("sha256", Text, nullable=False), _big("min_id", nullable=False), _big("max_id", nullable=False),
    _big("min_us", nullable=False), _big("max_us", nullable=False), _big("first_us", nullable=False), _big("end_us", nullable=False),
    Column("live", Integer, nullable=False, server_default="1"), Column("schema_version", Integer, nullable=False, server_default="1"),
    # its roll-up by the hour, a file beside it; NULL: a segment of before roll-ups, whose series are not indexed either
    Column("rollup", Text), _big("rollup_bytes"), Column("rollup_sha256", Text),
)  # fmt: skip
segment_series = Table(  # what a segment holds of each datastream: which files a reading must open
    "segment_series", obs_metadata,
    Column("datastream_id", SQLITE_INTEGER_KEY, primary_key=True, autoincrement=False),
    Column("segment_id", SQLITE_INTEGER_KEY, primary_key=True, autoincrement=False),
    _big("count", nullable=False), _big("min_us", nullable=False), _big("max_us", nullable=False),
    _big("thin", nullable=False, server_default="0"),  # hours of it whose raw rows were taken away (see retention)
    Index("segment_series_segment", "segment_id"), sqlite_with_rowid=False,
)  # fmt: skip
long_rollup = Table(  # the roll-ups of many segments in one file, good while all of them live
    "long_rollup", obs_metadata, Column("path", Text, primary_key=True), _big("bytes", nullable=False), Column("sha256", Text, nullable=False),
    Column("segments", Text, nullable=False),  # their ids, a JSON array
)  # fmt: skip
thinned = Table(  # what retention took away of each datastream so far
    "thinned", obs_metadata, Column("datastream_id", SQLITE_INTEGER_KEY, primary_key=True, autoincrement=False),
    _big("rows", nullable=False), _big("bytes", nullable=False), _big("hours", nullable=False), _big("at_us", nullable=False),
)  # fmt: skip
# The ledger of missing data: where a datastream that should speak every so often did not.
gap = Table(
    "gap", obs_metadata, Column("datastream_id", SQLITE_INTEGER_KEY, primary_key=True, autoincrement=False),
    Column("from_us", BigInteger, primary_key=True, autoincrement=False), _big("to_us", nullable=False),
    Column("expected", Integer, nullable=False), Column("received", Integer, nullable=False, server_default="0"),
    _big("filled_us"), sqlite_with_rowid=False,
)  # fmt: skip
ledger = Table(
    "ledger", obs_metadata, Column("datastream_id", SQLITE_INTEGER_KEY, primary_key=True, autoincrement=False),
    _big("interval_us", nullable=False), _big("until_us", nullable=False),
)  # fmt: skip
