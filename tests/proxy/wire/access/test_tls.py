from pathlib import Path

import pytest

from proxy.wire.access.tls import server_context

PEM = Path(__file__).parents[2] / "localhost.pem"


def test_a_file_with_both_certificate_and_key_is_enough() -> None:
    assert server_context(str(PEM), "").minimum_version.name == "TLSv1_2"
    assert server_context(str(PEM), str(PEM))


@pytest.mark.parametrize("content", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nsecret\n"])
def test_what_is_no_certificate_is_told_in_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text(content)

    with pytest.raises(ValueError, match=r"^no certificate with its key in PEM: [^\n]+$") as wrong:
        server_context(str(tmp_path / "x.pem"), "")

    assert "secret" not in str(wrong.value)


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(ValueError, match="No such file"):
        server_context("/nonexistent.pem", "")
