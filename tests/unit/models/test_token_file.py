"""A token file that holds something else is named; what it holds is not said."""

import subprocess
import sys

import pytest

from models.token_file import TokenFileError, token_from

SECRET = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "content", [SECRET, "", "\n", "two words", "gr\u00fcn", "x" * 5000, "a\nb", "nul\x00"]
)
def test_a_file_that_holds_no_token_is_named_without_its_content(tmp_path, content):
    path = tmp_path / "private.pem"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TokenFileError) as raised:
        token_from(path)
    assert str(path) in str(raised.value)
    for line in content.split():
        if len(line) > 3:
            assert line not in str(raised.value)


def test_one_line_is_a_token_whatever_stands_around_it(tmp_path):
    path = tmp_path / "token"
    path.write_text(" sl_1.AbC-~=\n\n")
    assert token_from(path) == "sl_1.AbC-~="
    with pytest.raises(TokenFileError, match="No such file"):
        token_from(tmp_path / "none")


def test_no_command_repeats_a_secret_that_it_was_given_for_a_token(tmp_path):
    path = tmp_path / "private.pem"
    path.write_text(SECRET)
    code = "from models.__main__ import main; import sys; sys.exit(main(sys.argv[1:]))"
    for words in (
        ["publish", "models/bundles/demo", "--central", "http://127.0.0.1:9", "--token-file", str(path)],
        ["explain", "--store", "s", "--sku", "k", "--token-file", str(path)],
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 78
        assert str(path) in done.stderr
        for line in SECRET.splitlines():
            assert line not in done.stdout + done.stderr
