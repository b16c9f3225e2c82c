"""Prepared: a statement that is asked thousands of times a second, written for a database once and then only filled in.

SQLAlchemy finds its compiled text again by walking the whole expression, which for a short reading costs more than the
reading itself. Values and columns are integers and texts: nothing is converted on the way, so that on SQLite the driver
is asked, as `quick` does.
"""

from typing import Any

from sqlalchemy import Connection, Select

from beffroi.store.quick import one_moment

__all__ = ["Prepared"]


class Prepared:
    """A `select` whose `bindparam`s are filled in by name at each `rows`."""

    def __init__(self, statement: Select[Any]) -> None:
        self._statement = statement
        self._written: dict[str, tuple[str, dict[str, Any], tuple[str, ...] | None]] = {}

    def rows(self, connection: Connection, **values: Any) -> list[Any]:
        """Return the rows of the statement with `values` filled in, as tuples."""
        if connection.get_execution_options().get("schema_translate_map") is not None:
            return list(
                connection.execute(self._statement, values).fetchall()
            )  # a writer's file has no schema
        known = self._written.get(connection.dialect.name)
        if known is None:
            compiled = self._statement.compile(
                dialect=connection.dialect, compile_kwargs={"render_postcompile": True}
            )
            places = None if compiled.positiontup is None else tuple(compiled.positiontup)
            known = self._written[connection.dialect.name] = (str(compiled), dict(compiled.params), places)
        sql, given, places = known
        filled = {**given, **values}
        parameters: Any = filled if places is None else tuple(filled[name] for name in places)
        if connection.dialect.name == "sqlite":
            one_moment(connection)
            driver: Any = connection.connection.driver_connection
            return list(driver.execute(sql, parameters).fetchall())
        return list(connection.exec_driver_sql(sql, parameters).fetchall())
