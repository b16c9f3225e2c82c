"""The files that records hold (photos, documents), and what was seen lately, for rates."""

from alembic import op

from beffroi.store.tables import sighting, stored_file

revision = "0002_files"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, unless the first version just did."""
    stored_file.create(op.get_bind(), checkfirst=True)
    sighting.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Drop the tables: their files can then never be read again."""
    stored_file.drop(op.get_bind())
    sighting.drop(op.get_bind())
