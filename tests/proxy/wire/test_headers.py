from proxy.wire.headers import first, for_client, for_upstream


def test_order_spelling_and_repeats_stay() -> None:
    headers = [(b"X-b", b"1"), (b"x-A", b"2"), (b"X-b", b" 3"), (b"Accept", b"*/*")]

    assert for_upstream(headers, "api.anthropic.com") == headers
    assert for_client(headers) == headers


def test_host_is_set_in_its_place() -> None:
    headers = [(b"A", b"1"), (b"hOsT", b"localhost:12071"), (b"B", b"2")]

    assert for_upstream(headers, "up:8080") == [(b"A", b"1"), (b"hOsT", b"up:8080"), (b"B", b"2")]


def test_hop_by_hop_headers_stay_behind_both_ways() -> None:
    hop_by_hop = [
        (b"Connection", b"keep-alive, X-Once"),
        (b"connection", b"x-Twice"),
        (b"Keep-Alive", b"timeout=5"),
        (b"Proxy-Authorization", b"Basic x"),
        (b"Proxy-Authenticate", b"Basic"),
        (b"Proxy-Connection", b"keep-alive"),
        (b"TE", b"trailers"),
        (b"Trailer", b"X-Sum"),
        (b"Upgrade", b"h2c"),
        (b"X-once", b"1"),
        (b"X-Twice", b"2"),
    ]

    assert for_upstream([*hop_by_hop, (b"X", b"y")], "up") == [(b"X", b"y")]
    assert for_client([*hop_by_hop, (b"Transfer-Encoding", b"chunked"), (b"X", b"y")]) == [(b"X", b"y")]


def test_a_chunked_request_stays_chunked_in_the_same_codings() -> None:
    coded = [(b"transfer-encoding", b"gzip, chunked")]

    assert for_upstream(coded, "up") == coded


def test_an_offered_and_a_taken_switch_of_protocols_go_through_where_it_is_relayed() -> None:
    offer = [(b"Connection", b"keep-alive, Upgrade"), (b"Upgrade", b"websocket"), (b"TE", b"x")]

    assert for_upstream(offer, "up", upgrade=True) == offer[:2]
    assert for_client(offer, upgrade=True) == offer[:2]


def test_connection_cannot_take_away_what_frames_the_message() -> None:
    headers = [(b"Connection", b"content-length, host"), (b"Content-Length", b"5"), (b"Host", b"x")]

    assert for_upstream(headers, "up") == [(b"Content-Length", b"5"), (b"Host", b"up")]


def test_headers_spoken_to_the_proxy_stay_with_it() -> None:
    headers = [(b"X-LLM-Proxy-Token", b"t"), (b"x-llm-proxy-log-bodies", b"false"), (b"X-Kept", b"1")]

    assert for_upstream(headers, "up") == [(b"X-Kept", b"1")]


def test_first_finds_a_header_by_its_lower_case_name() -> None:
    headers = [(b"A", b"1"), (b"a", b"2")]

    assert first(headers, b"a") == b"1"
    assert first(headers, b"b") == b""
