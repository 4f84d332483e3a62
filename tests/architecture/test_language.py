"""The project is written in plain English: the wording that style.md replaces does not come back."""

import pytest

from tests.architecture.language import offences, written_files

BANNED = {
    "x.py": {
        "he, his, him": '"""Returns his name."""\n',
        "somebody, nobody, anybody": "# Nobody may call it.\n",
        "email": "MESSAGE = 'The e-mail was sent.'\n",
        "docstring fragment": 'def f():\n    """Whether a caller may."""\n',
        "docstring of two words": 'class C:\n    """The caller."""\n',
        "test name length": f"def test_{'x' * 60}(): ...\n",
        "whence, whom": "x = 1  # whence a call comes\n",
    },
    "x.proto": {"email": "// Sends a mail.\n"},
    "x.js": {"anew": "tell(`Sign in anew.`);\n", "shall": "/* It shall\n not be. */\n"},
    "x.lua": {"sought": "-- the field that is sought\n"},
    "x.md": {"line length": "x" * 121 + "\n", "expire": "The claim lapses.\n"},
    "x.html": {"he, his, him": "<p>The patient and his code</p>\n"},
    "env.example": {"as long as, that many": "# So long it stays.\n"},
}
FINE = {
    "x.py": [
        '"""Returns the mail server\'s answer."""\n',
        "mail = his\n",
        "# the field `mail` of nginx\n",
        "KIND = 'mail'\n",
        "# the shell, the ashes\n",
    ],
    "x.proto": ["// Sends an email.\n", "string mail = 1;\n"],
    "x.js": ["const anew = 1;\n"],
    "x.md": ["```\nmail his\n```\n", "| " + "x" * 130 + " |\n", "See https://example.org/mail/his\n"],
    "x.html": ["<p class='mail'>{{ his }}</p>\n"],
}


def test_wording_that_is_replaced_does_not_come_back() -> None:
    found = [offence for path, source in written_files() for offence in offences(path, source)]
    places = [f"{o.path}:{o.line}: {o.rule}: {o.text}" for o in found]
    assert not places, "write it as docs/contributing/style.md says:\n" + "\n".join(places)


@pytest.mark.parametrize("path", BANNED)
def test_each_rule_finds_its_offence(path: str) -> None:
    for rule, source in BANNED[path].items():
        assert rule in {offence.rule for offence in offences(path, source)}, source


@pytest.mark.parametrize("path", FINE)
def test_plain_english_and_code_are_accepted(path: str) -> None:
    for source in FINE[path]:
        assert list(offences(path, source)) == []


def test_an_offence_names_its_line() -> None:
    source = '"""Returns it."""\n\n\ndef f():\n    """Returns it all.\n\n    And his.\n    """\n'
    assert [(o.line, o.rule) for o in offences("x.py", source)] == [
        (7, "he, his, him"),
        (1, "docstring of two words"),
    ]


def test_the_check_reads_every_kind_of_file() -> None:
    paths = {path for path, _ in written_files()}
    assert {"README.md", "Makefile", "envoy.yaml", "server/config/settings.py", "clients/web/js/api.js"} <= paths
    assert not [path for path in paths if "/vendor/" in path or path.startswith("generated/")]
