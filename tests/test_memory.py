"""Memory that nobody uses goes back to the system."""

import subprocess
import sys

_THREADS = """
import sys, threading
from beffroi.memory import few_arenas, give_back
if sys.argv[1] == "few":
    assert few_arenas()
def work():
    for _ in range(50):
        held = [b"x" * 900 for _ in range(2_000)]
        del held
threads = [threading.Thread(target=work) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
give_back()
# each arena of glibc reserves 64 MB of addresses, and most of them may not be touched
parts = [line.split() for line in open("/proc/self/maps")]
print(sum(1 for p in parts if len(p) == 5 and p[1] == "---p"))
"""


def reserved(mode: str) -> int:
    done = subprocess.run([sys.executable, "-c", _THREADS, mode], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_threads_share_one_arena() -> None:
    assert reserved("few") < reserved("many")
