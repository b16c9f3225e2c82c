"""Which addresses are for programs (standards, hooks) and which for people's browsers."""

__all__ = ["PROGRAMS", "for_programs"]

PROGRAMS = ("/api", "/sensorthings", "/ogc", "/hooks", "/open311", "/health", "/live")


def for_programs(path: str) -> bool:
    """True when `path` answers programs: keys rather than forms, JSON rather than pages."""
    return path.startswith(PROGRAMS)
