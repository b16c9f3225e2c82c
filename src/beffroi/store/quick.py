"""Quick statements: SQL written out, for what is asked on every page or written with every record.

On SQLite they go to the driver: SQLAlchemy takes 40 to 200 us for what SQLite does in 5. On PostgreSQL, where the way to
the server counts, they go through SQLAlchemy, which knows the driver's ways.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert, text

__all__ = ["insert_rows", "one_moment", "quick"]


def one_moment(c: Connection) -> None:
    """Begin the transaction of `c` unless it has begun: what is asked from now on, of the driver too, sees one moment."""
    if not c.in_transaction():
        c.begin()


def quick(c: Connection, sql: str, values: Mapping[str, Any]) -> list[Any]:
    """Run one statement in the transaction of `c`, its values named `:so`; return its rows as tuples."""
    if c.dialect.name != "sqlite":
        result = c.execute(text(sql), dict(values))
        return list(result.all()) if result.returns_rows else []
    driver: Any = c.connection.driver_connection
    rows: list[Any] = driver.execute(sql, values).fetchall()
    return rows


def insert_rows(c: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns in the same order, in the transaction of `c`.

    Raises the driver's or SQLAlchemy's `IntegrityError` (see `integrity_errors`).
    """
    if c.dialect.name != "sqlite":
        c.execute(insert(table), list(rows))
        return
    names = ", ".join(f'"{name}"' for name in rows[0])
    places = ", ".join("?" * len(rows[0]))
    driver: Any = c.connection.driver_connection
    driver.executemany(
        f'INSERT INTO "{table.name}" ({names}) VALUES ({places})', [tuple(row.values()) for row in rows]
    )
