import json

import pytest

from scoreboard.client.requests import Request, Update, batches, checked_address, checked_token


def request(*path: str, **query: str | int | None) -> Request[object]:
    return Request("GET", path, object, query=query)


def test_path_segments_are_escaped() -> None:
    assert request("players", "a/b?c=d#e").target == "/v1/players/a%2Fb%3Fc%3Dd%23e"
    assert request("players", "..", "around").target == "/v1/players/%2E%2E/around"
    assert request("players", "你 %41").target == "/v1/players/%E4%BD%A0%20%2541"


def test_prefix_replaces_the_version() -> None:
    assert Request("GET", (), object, prefix="/health/ready").target == "/health/ready"


def test_query_omits_none() -> None:
    assert request("top", limit=5, cursor=None, region="a b&c").target == "/v1/top?limit=5&region=a%20b%26c"
    assert request("top", limit=None).target == "/v1/top"


def test_headers_have_token_and_key() -> None:
    plain = Request("GET", ("apps",), object)
    assert plain.headers(None) == {}
    keyed = Request("POST", ("scores",), object, body={}, key="k-1")
    assert keyed.headers("t") == {
        "Authorization": "Bearer t",
        "Content-Type": "application/json",
        "Idempotency-Key": "k-1",
    }


def test_body_omits_fields_that_are_not_set() -> None:
    assert Update("alice", increment=0).body() == {"player": "alice", "increment": 0}
    assert Update("a", score=-1, region="eu", metadata={"level": 3}, key="k").body() == {
        "player": "a",
        "score": -1,
        "region": "eu",
        "metadata": {"level": 3},
    }


@pytest.mark.parametrize("score", [2**53 + 1, 2**63 - 1, -(2**63), 2**63, -(2**63) - 1, 10**30])
def test_integers_are_sent_exactly(score: int) -> None:
    sent = json.loads(Request("POST", (), object, body=Update("a", score=score).body()).content or b"")
    assert int(sent["score"]) == score


def test_batches_give_each_update_a_key() -> None:
    updates = [Update(f"p{n}", increment=n, key="mine" if n == 1_000 else None) for n in range(2_001)]
    bodies = [list_of(body) for body in batches(iter(updates), "match-7")]
    assert [len(body) for body in bodies] == [1_000, 1_000, 1]
    sent = [one for body in bodies for one in body]
    assert [one["player"] for one in sent] == [update.player for update in updates]
    assert (sent[0]["idempotency_key"], sent[2_000]["idempotency_key"]) == ("match-7/0", "match-7/2000")
    assert sent[1_000]["idempotency_key"] == "mine"
    assert list(batches([], "k")) == []


def list_of(body: dict[str, object]) -> list[dict[str, object]]:
    updates = body["updates"]
    assert isinstance(updates, list)
    return updates


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "https://scores.example.com/", "http://[::1]:80/base"])
def test_valid_addresses(url: str) -> None:
    assert checked_address(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url", ["", "scores.example.com", "ftp://a", "http://", "http://a:0", "http://a:x", "http://a?b"]
)
def test_invalid_address_raises(url: str) -> None:
    with pytest.raises(ValueError, match="use a form such as"):
        checked_address(url)


def test_errors_hide_secrets() -> None:
    with pytest.raises(ValueError, match="user name or password") as refused:
        checked_address("https://me:hunter2@scores.example.com")
    assert "hunter2" not in str(refused.value)
    for token in ("hunter2\n", "hun ter2", "", "hünter2"):
        with pytest.raises(ValueError, match="line break") as refused:
            checked_token(token)
        assert token == "" or token not in str(refused.value)
