"""MultiDatastreams, and the earlier states of the catalogue and of observations."""

import sqlalchemy as sa
from alembic import op

from beffroi.store.tables import metadata, multi_datastream_property, obs_metadata, pace, past

revision = "versions"
down_revision = "0002_unfinished"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is missing: a town made after this was written has it from its first version."""
    connection = op.get_bind()
    inspector = sa.inspect(connection)
    for name in past:
        if name == "observation":
            continue
        known = (
            {column["name"] for column in inspector.get_columns(name)} if inspector.has_table(name) else set()
        )
        if known and "since_us" not in known:
            op.add_column(name, sa.Column("since_us", sa.BigInteger, nullable=False, server_default="0"))
        if name == "datastream" and "multi" not in known:
            for column in ("multi", "multi_units"):
                op.add_column(name, sa.Column(column, sa.Text))
    metadata.create_all(
        connection, [multi_datastream_property, *(t for n, t in past.items() if n != "observation")]
    )
    obs_metadata.create_all(connection, [past["observation"], pace])


def downgrade() -> None:
    """What the versions hold would be lost."""
    raise RuntimeError("versions cannot be taken back")
