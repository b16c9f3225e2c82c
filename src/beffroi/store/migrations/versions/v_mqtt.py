"""MQTT sessions, Tasking, provenance, and the commit that changed each entity last.

A new town has these from the first version, which makes every table as `tables.py` has it: what is there stays.
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Table, inspect

from beffroi.store import tables

revision = "mqtt"
down_revision = "versions"
branch_labels = None
depends_on = None

_CHANGED = ("location", "historical_location", "sensor", "observed_property", "feature_of_interest")
_NEW: tuple[Table, ...] = (
    tables.actuator, tables.tasking_capability, tables.task, tables.mqtt_session, tables.mqtt_message,
    tables.mqtt_retained, tables.provenance,
)  # fmt: skip


def upgrade() -> None:
    """Add the column `seq` and the tables."""
    connection = op.get_bind()
    for name in _CHANGED:
        if "seq" not in {column["name"] for column in inspect(connection).get_columns(name)}:
            op.add_column(name, Column("seq", BigInteger, nullable=False, server_default="0"))
    for table in _NEW:
        table.create(connection, checkfirst=True)


def downgrade() -> None:
    """Take them away."""
    connection = op.get_bind()
    for table in reversed(_NEW):
        table.drop(connection, checkfirst=True)
    for name in _CHANGED:
        op.drop_column(name, "seq")
