"""`python -m bench`: every benchmark, one after the other."""

from bench import ingest, living, mqtt, peer, reading, reports, rules

for bench in (living, ingest, peer, mqtt, reading, rules, reports):
    print(f"\n# {bench.__name__}: {(bench.__doc__ or '').splitlines()[0]}")
    bench.main()
