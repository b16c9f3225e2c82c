"""First version: every table of the house."""

from alembic import op
from sqlalchemy import text

from beffroi.store.tables import metadata, obs_metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and start the two counters at 1."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS obs"))
    metadata.create_all(connection)
    obs_metadata.create_all(connection)
    connection.execute(text("INSERT INTO counter (name, next) VALUES ('record', 1)"))
    connection.execute(text("INSERT INTO obs.counter (name, next) VALUES ('observation', 1)"))


def downgrade() -> None:
    """There is nothing before the first version."""
    raise RuntimeError("the first version cannot be undone")
