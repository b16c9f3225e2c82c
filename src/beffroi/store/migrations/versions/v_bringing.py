"""The files that people bring, and how their columns are matched."""

from alembic import op

from beffroi.store.tables import brought, file_mapping

revision = "bringing"
down_revision = "readings"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, unless the first version just did."""
    for table in (brought, file_mapping):
        table.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Drop the tables: what was brought stays where it was stored, without its report."""
    for table in (file_mapping, brought):
        table.drop(op.get_bind())
