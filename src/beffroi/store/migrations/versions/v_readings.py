"""How often each screen was shown in a day."""

from alembic import op

from beffroi.store.tables import page_reading

revision = "readings"
down_revision = "mqtt"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, unless the first version just did."""
    page_reading.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Drop the table: what was read is then not known any more."""
    page_reading.drop(op.get_bind())
