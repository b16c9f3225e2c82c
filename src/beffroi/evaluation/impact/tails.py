"""The distributions that studies need, of SciPy, which is only loaded (and only needed) when a study is made."""

from typing import Any

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["gammaln", "ndtr", "stdtr", "stdtrit"]


def _special(name: str, *given: Any) -> Any:
    try:
        from scipy import special  # noqa: PLC0415 -- of the extra [evaluation], and slow to load
    except ImportError as error:
        raise Problem(
            Text("Les études d'impact demandent l'extra « evaluation ».", "Impact studies need the extra 'evaluation'."),
            Text('Installez-le : pip install "beffroi[evaluation]".', 'Install it: pip install "beffroi[evaluation]".'),
        ) from error  # fmt: skip
    return getattr(special, name)(*given)


def gammaln(x: Any) -> Any:
    """Return the logarithm of the gamma function."""
    return _special("gammaln", x)


def ndtr(x: Any) -> Any:
    """Return the share of a normal distribution below `x`."""
    return _special("ndtr", x)


def stdtr(freedom: Any, t: Any) -> Any:
    """Return the share of Student's distribution below `t`."""
    return _special("stdtr", freedom, t)


def stdtrit(freedom: Any, share: Any) -> Any:
    """Return the `t` below which that share of Student's distribution is."""
    return _special("stdtrit", freedom, share)
