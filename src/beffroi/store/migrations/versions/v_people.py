"""Sign-in by a provider of identity, second factors, and services that come as a wheel."""

from alembic import op

from beffroi.store.tables import (
    extension,
    federated,
    federated_session,
    metadata,
    recovery_code,
    second_factor,
)

revision = "people"
down_revision = "bringing"
branch_labels = None
depends_on = None

_NEW = (federated, federated_session, second_factor, recovery_code, extension)


def upgrade() -> None:
    """Add the tables."""
    metadata.create_all(op.get_bind(), list(_NEW))


def downgrade() -> None:
    """Drop them: who signed in by a provider needs an invitation again."""
    metadata.drop_all(op.get_bind(), list(_NEW))
