"""`python -m bench`: every benchmark, one after the other."""

from bench import ingest, living, mqtt, reading, rules

for bench in (living, ingest, mqtt, reading, rules):
    print(f"\n# {bench.__name__}: {(bench.__doc__ or '').splitlines()[0]}")
    bench.main()
