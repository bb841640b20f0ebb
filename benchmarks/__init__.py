"""What the client and the integration cost, in figures: `script/benchmark --help`, and `docs/performance.md`."""
