"""Roll-ups beside segments, and the index of which segment holds which datastream."""

import sqlalchemy as sa
from alembic import op

from beffroi.store.tables import obs_metadata

revision = "0002_history_reading"
down_revision = "0002_files"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what an installation of the first version lacks; a new one has it all from its first step."""
    connection = op.get_bind()
    known = {column["name"] for column in sa.inspect(connection).get_columns("segment", schema="obs")}
    if "rollup" not in known:
        for column in ("rollup TEXT", "rollup_bytes BIGINT", "rollup_sha256 TEXT"):
            op.execute(f"ALTER TABLE obs.segment ADD COLUMN {column}")
    obs_metadata.create_all(connection)  # segment_series, long_rollup, thinned, gap, ledger


def downgrade() -> None:
    """Forget the index and the roll-ups, which can be made again, and the hours of what was thinned, which cannot."""
    for table in ("segment_series", "long_rollup", "thinned", "gap", "ledger"):
        op.execute(f"DROP TABLE obs.{table}")
    for column in ("rollup", "rollup_bytes", "rollup_sha256"):
        op.execute(f"ALTER TABLE obs.segment DROP COLUMN {column}")
