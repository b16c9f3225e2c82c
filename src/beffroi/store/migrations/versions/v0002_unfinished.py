"""Change sets: what is decided and not yet done to observations."""

from alembic import op

from beffroi.store.tables import unfinished

revision = "0002_unfinished"
down_revision = "0002_history_reading"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, unless the first version just did."""
    unfinished.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Drop the table."""
    unfinished.drop(op.get_bind())
