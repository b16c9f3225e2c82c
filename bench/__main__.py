"""`python -m bench`: every benchmark, one after the other."""

from bench import ingest, living, reading, reports, rules

for bench in (living, ingest, reading, rules, reports):
    print(f"\n# {bench.__name__}: {(bench.__doc__ or '').splitlines()[0]}")
    bench.main()
