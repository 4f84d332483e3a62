"""Tests that the names stored by former versions are folded again, and back."""

from typing import Final
from uuid import UUID

from server.name_search import fold
from server.runtime.storage import schema
from server.search_keys import query
from tests.storage.test_migrations import A_RECORD, AN_ACCOUNT, VERSIONS, fetch, run

[SEARCH_KEYS] = (path.name[:4] for path in VERSIONS if path.name.endswith("_search_keys.py"))
SEARCHED: Final = "SELECT full_name FROM {table} WHERE name_words @@ $${query}$$::tsquery"


async def test_stored_names_are_folded_again_up_and_down(database_url: str) -> None:
    await schema.downgrade(database_url, SEARCH_KEYS)
    await schema.downgrade(database_url)
    words = {"Bjørnstad": "bjørnstad", "Müller": "muller", "O’Brien": "brien", "山田 太郎": "太郎", "Zoe\u0308": "zoe"}
    for n, name in enumerate(words, 1):
        user_id = UUID(int=n)
        await run(database_url, AN_ACCOUNT.format(user_id=user_id, name=name))
        await run(database_url, A_RECORD.format(user_id=user_id).replace("PAT-1", f"PAT-{n}"))
    await run(database_url, "UPDATE patients SET date_of_birth = '1972-03-05', phone = '(0341) 5550123'")

    async def found(search: str, table: str) -> list[str]:
        rows = await fetch(database_url, SEARCHED.format(table=table, query=search))
        return sorted(name for (name,) in rows)

    await schema.upgrade(database_url, SEARCH_KEYS)
    for table in ("patients", "users"):
        for name in words:
            assert await found(query(name) or "", table) == [name]
        assert await found(query("mueller") or "", table) == ["Müller"]
    assert await found(query("5550123 05.03.1972") or "", "patients") == sorted(words)
    folded = "SELECT full_name, sort_name FROM patients"
    assert dict(await fetch(database_url, folded)) == {name: fold(name) for name in words}
    await schema.downgrade(database_url)
    for name, word in words.items():
        assert await found(f"'{word}'", "patients") == await found(f"'{word}'", "users") == [name]
    assert await found("'born:19720305'", "patients") == []
    assert ("Bjørnstad", "bjørnstad") in await fetch(database_url, folded)
