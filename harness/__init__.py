"""The harness: services and servers that tests, benchmarks, chaos runs and tools start.

| module | holds |
|---|---|
| `service` | the service running in this process, with clients for any role |
| `process` | a role of the service in a process of its own, to stop or kill |
| `client`, `wire` | an HTTP client of the API; a connection that sends exact bytes |
| `load` | clients that update until they are stopped, and log every outcome |
| `browser` | a real Chromium |
| `servers/` | PostgreSQL, Redis, Valkey and RabbitMQ, to stop, kill or freeze |
| `waiting`, `ports`, `missing` | bounded waits, free ports, and skipping tests without a program |

Nothing here, nor in `bench/`, `chaos/`, `docs/` and `tools/`, imports `tests`; ruff checks this (`banned-api`).
"""
