"""Harness: services and servers for tests, benchmarks, chaos runs and tools.

- `service`: the service running in this process, with clients for any role.
- `process`: a role of the service in a separate process, to stop or kill.
- `client`: an HTTP client of the API.
- `wire`: a connection that sends exact bytes.
- `load`: clients that send updates until they are stopped, and log every outcome.
- `browser`: a real Chromium.
- `servers/`: PostgreSQL, Redis, Valkey and RabbitMQ, to stop, kill or freeze.
- `waiting`: bounded waits, and the factor for time-outs of servers.
- `ports`: free TCP ports.
- `missing`: skips tests whose program is not installed.

The harness, `bench/`, `chaos/`, `docs/` and `tools/` must not import `tests`; ruff checks this (`banned-api`).
"""
