"""Sealed rows are removed little by little, and not read meanwhile."""

from alembic import op
from sqlalchemy import text

from beffroi.store.tables import FRESH, leaving

revision = "leaving"
down_revision = "neighbours"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the list of what is being removed, unless the first version just did, and the view without it."""
    connection = op.get_bind()
    leaving.create(connection, checkfirst=True)
    # a view of an attached file may only name what is in it, without saying which file that is
    schema = "" if connection.dialect.name == "sqlite" else "obs."
    connection.execute(text("DROP VIEW IF EXISTS obs.fresh"))
    connection.execute(text(f"CREATE VIEW obs.fresh AS {FRESH.format(schema)}"))


def downgrade() -> None:
    """Remove what is leaving, then the list."""
    connection = op.get_bind()
    connection.execute(text("DELETE FROM obs.observation WHERE id NOT IN (SELECT id FROM obs.fresh)"))
    connection.execute(text("DROP VIEW obs.fresh"))
    leaving.drop(connection)
