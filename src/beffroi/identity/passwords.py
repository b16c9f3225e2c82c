"""Passwords: argon2id, and what makes one acceptable."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["SHORTEST", "check_strength", "hash_password", "matches"]

SHORTEST = 12
_LONGEST = 200  # a longer one only costs time
_hasher = PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)  # above OWASP's 19 MiB, t=2
# Verified when there is no such account, so that the answer takes as long: made of 32 random bytes, kept nowhere.
_NOBODY = "$argon2id$v=19$m=32768,t=3,p=1$mkrS97YOOOJ1NyssNhNOqg$MxJ2WXSAmmHCTVkE4/kDsZJ+fLJOQOK0x9BZ5VKGSBM"
_turns = threading.BoundedSemaphore(2)  # 32 MiB each: a crowd signing in must not exhaust the memory


def check_strength(password: str, *about: str) -> None:
    """Raise `Problem` when the password is short, long, repetitive, or made of the person's name or address."""
    lowered = password.lower()
    known = {
        part
        for text in about
        for part in text.lower().replace("@", " ").replace(".", " ").split()
        if len(part) > 3
    }
    if not SHORTEST <= len(password) <= _LONGEST:
        reason = Text("Le mot de passe doit avoir au moins {n} caractères (200 au plus).",
                      "The password must have at least {n} characters (200 at most).").filled(n=SHORTEST)  # fmt: skip
    elif len(set(lowered)) < 5 or lowered.isdigit():
        reason = Text("Ce mot de passe se devine trop vite.", "This password is too easily guessed.")
    elif any(part in lowered for part in known) and len(password) < SHORTEST + 8:
        reason = Text("Ce mot de passe contient votre nom ou votre adresse.",
                      "This password contains your name or address.")  # fmt: skip
    else:
        return
    raise Problem(
        reason,
        Text("Choisissez par exemple quatre mots sans rapport.", "Choose for example four unrelated words."),
        place="password",
    )


def hash_password(password: str) -> str:
    """Return the argon2id hash to keep."""
    with _turns:
        return _hasher.hash(password)


def matches(kept: str | None, password: str) -> bool:
    """Return whether `password` is the one that `kept` was made from; takes as long when there is none."""
    with _turns:
        try:
            return _hasher.verify(kept or _NOBODY, password[: _LONGEST + 1]) and kept is not None
        except (VerificationError, InvalidHashError):
            return False
