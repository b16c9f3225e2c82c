"""How the columns of files are matched, remembered by each commune for itself."""

import sqlalchemy as sa
from alembic import op

from beffroi.store.tables import file_mapping

revision = "neighbours"
down_revision = "people"
branch_labels = None
depends_on = None

_BEFORE = sa.Table(
    "file_mapping", sa.MetaData(), sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("shape", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False), sa.Column("plan", sa.Text, nullable=False), sa.Column("owner", sa.Text, nullable=False),
    sa.Column("used_us", sa.BigInteger, nullable=False), sa.Column("uses", sa.Integer, nullable=False, server_default="1"),
)  # fmt: skip


def _again(kept: list[dict[str, object]], table: sa.Table) -> None:
    """Make the table anew with these rows: SQLite takes no constraint off a table that stands."""
    connection = op.get_bind()
    op.drop_table("file_mapping")
    table.create(connection)
    if kept:
        connection.execute(sa.insert(table), kept)


def upgrade() -> None:
    """What was remembered so far is the whole town's."""
    connection = op.get_bind()
    if "territory" in {column["name"] for column in sa.inspect(connection).get_columns("file_mapping")}:
        return
    _again([dict(row) for row in connection.execute(sa.select(_BEFORE)).mappings()], file_mapping)


def downgrade() -> None:
    """Of what several communes remember of files of one shape, the last used stays."""
    rows = op.get_bind().execute(sa.select(*(file_mapping.c[c.name] for c in _BEFORE.c)).order_by(file_mapping.c.used_us)).mappings()  # fmt: skip
    _again(list({row["shape"]: dict(row) for row in rows}.values()), _BEFORE)
