"""Chance without state: the same (seed, name, number) always draws the same value, in any order.

A series can so be evaluated at any instant, years later, by another process: what the live
demonstration adds tomorrow is what the generator would have written.
"""

import hashlib
import math

__all__ = ["Chance"]

_MASK = (1 << 64) - 1
_UNIT = 1.0 / (1 << 53)


class Chance:
    """Draws for one named source: `Chance(7, "wind")` never shares a draw with `Chance(7, "rain")`."""

    __slots__ = ("_lattice", "_root", "seed")

    def __init__(self, seed: int, name: str) -> None:
        self.seed = seed
        digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
        self._root = int.from_bytes(digest, "big")
        self._lattice: dict[tuple[int, int], float] = {}

    def unit(self, number: int, stream: int = 0) -> float:
        """Return draw `number` of `stream`, uniform in [0, 1) (the finaliser of splitmix64)."""
        z = (self._root + number * 0x9E3779B97F4A7C15 + stream * 0xD1B54A32D192ED03) & _MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((z ^ (z >> 31)) >> 11) * _UNIT

    def normal(self, number: int, stream: int = 0) -> float:
        """Return a draw of the standard normal law (Box and Muller)."""
        radius = math.sqrt(-2.0 * math.log(1.0 - self.unit(number, 2 * stream + 1000)))
        return radius * math.cos(2.0 * math.pi * self.unit(number, 2 * stream + 1001))

    def between(self, low: float, high: float, number: int, stream: int = 0) -> float:
        """Return a draw uniform in [low, high)."""
        return low + (high - low) * self.unit(number, stream)

    def pick(self, number: int, weights: tuple[float, ...], stream: int = 0) -> int:
        """Return an index drawn with the given weights."""
        at = self.unit(number, stream) * sum(weights)
        for index, weight in enumerate(weights):
            at -= weight
            if at < 0:
                return index
        return len(weights) - 1

    def smooth(self, instant_us: int, period_us: int, stream: int = 0) -> float:
        """Return a smooth random signal in about [-1, 1] that turns about once a period."""
        cell, rest = divmod(instant_us, period_us)
        x = rest / period_us
        ease = x * x * (3.0 - 2.0 * x)
        first = self._node(cell, stream)
        return first + (self._node(cell + 1, stream) - first) * ease

    def _node(self, cell: int, stream: int) -> float:
        key = (cell, stream)
        value = self._lattice.get(key)
        if value is None:
            value = self._lattice[key] = 2.0 * self.unit(cell, 5000 + stream) - 1.0
        return value

    def poisson(self, mean: float, number: int, stream: int = 0) -> int:
        """Return a count drawn from the Poisson law (by inversion; normal above 40)."""
        if mean <= 0.0:
            return 0
        if mean > 40.0:
            return max(0, round(mean + math.sqrt(mean) * self.normal(number, stream)))
        at = self.unit(number, stream)
        term = total = math.exp(-mean)
        count = 0
        while at > total and count < 200:
            count += 1
            term *= mean / count
            total += term
        return count
