"""The files that records hold: photos, documents."""

from alembic import op

from beffroi.store.tables import stored_file

revision = "0002_files"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, unless the first version just did."""
    stored_file.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Drop the table: its files can then never be read again."""
    stored_file.drop(op.get_bind())
