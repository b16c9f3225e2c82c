"""QR codes, drawn without any style of their own."""

import segno
from markupsafe import Markup

__all__ = ["qr_svg"]


def qr_svg(text: str) -> Markup:
    """Return a QR code (ISO/IEC 18004, level M) as SVG without any style of its own."""
    code = segno.make(text, error="m", micro=False)
    matrix = [list(row) for row in code.matrix]
    size = len(matrix) + 8
    path = "".join(
        f"M{x + 4} {y + 4}h1v1h-1z" for y, row in enumerate(matrix) for x, dark in enumerate(row) if dark
    )
    return Markup(
        '<svg class="qr" viewBox="0 0 {0} {0}" role="img" aria-label="QR code"><rect width="{0}" height="{0}" fill="#fff"/><path fill="#000" d="{1}"/></svg>'
    ).format(size, path)
