"""G5: text in Redis is encrypted and bound to its key; keys are rotated without a flush."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_layer import Settings, SettingsError
from cache_layer.codecs import Codec, Entry
from cache_layer.errors import EntryRejected
from cache_layer.sealing import Sealer

OLD, NEW, OTHER = ("k1", b"1" * 32), ("k2", b"2" * 32), ("k1", b"3" * 32)
BASE64 = base64.b64encode(b"x" * 32).decode()


@given(st.binary(max_size=5000), st.text(max_size=40))
def test_what_was_sealed_opens_under_its_own_key(plain: bytes, key: str) -> None:
    sealer = Sealer([OLD])
    sealed = sealer.seal(key, plain)
    assert sealer.open(key, sealed) == plain
    assert len(plain) < 8 or plain not in sealed
    assert sealed != sealer.seal(key, plain)


def test_a_copied_value_does_not_open_under_another_person_s_key() -> None:
    sealer = Sealer([OLD])
    with pytest.raises(EntryRejected):
        sealer.open("recent_history:{43}", sealer.seal("recent_history:{42}", b"x"))


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    before, after = Sealer([OLD]), Sealer([NEW, OLD])
    assert after.open("k", before.seal("k", b"x")) == b"x"
    with pytest.raises(EntryRejected, match="unknown key"):
        before.open("k", after.seal("k", b"x"))
    with pytest.raises(EntryRejected, match="unknown key"):
        Sealer([NEW]).open("k", before.seal("k", b"x"))


def test_another_key_under_the_same_id_opens_nothing() -> None:
    with pytest.raises(EntryRejected, match="does not open"):
        Sealer([OTHER]).open("k", Sealer([OLD]).seal("k", b"x"))


@given(st.binary(max_size=80))
def test_any_bytes_are_rejected_and_raise_nothing_else(raw: bytes) -> None:
    with pytest.raises(EntryRejected):
        Sealer([OLD]).open("k", raw)


@given(st.data())
def test_one_changed_bit_is_noticed(data: st.DataObject) -> None:
    sealed = bytearray(Sealer([OLD]).seal("k", b"a secret"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(EntryRejected):
        Sealer([OLD]).open("k", bytes(sealed))


def test_a_sealed_entry_is_told_apart_from_one_in_clear() -> None:
    sealed, clear = Codec(Entry[str], 1, Sealer([OLD])), Codec(Entry[str], 1)
    raw = sealed.encode("k", 42, "тайна", stored_ms=1)
    assert "тайна".encode() not in raw
    assert sealed.decode("k", 42, raw).value == "тайна"
    for codec, other in ((clear, raw), (sealed, clear.encode("k", 42, "тайна", stored_ms=1))):
        with pytest.raises(EntryRejected):
            codec.decode("k", 42, other)


@pytest.mark.parametrize(
    "value",
    [
        "k1",
        "k1:",
        f":{BASE64}",
        f"k 1:{BASE64}",
        f"much-too-long:{BASE64}",
        "k1:" + base64.b64encode(b"x" * 16).decode(),
        "k1:not base64",
        f"k1:{BASE64},k1:{BASE64}",
    ],
)
def test_keys_that_are_not_as_they_must_be_stop_the_start_and_are_not_repeated(value: str) -> None:
    with pytest.raises(SettingsError, match=r"CACHE_ENCRYPTION_KEYS.*id:base64 of 32 random bytes") as caught:
        Settings.from_env({"CACHE_ENCRYPTION_KEYS": value})
    assert BASE64 not in str(caught.value)


def test_several_keys_are_read_in_their_order() -> None:
    read = Settings.from_env({"CACHE_ENCRYPTION_KEYS": f" k2:{BASE64} , k1:{BASE64},"})
    assert read.encryption_keys == (("k2", b"x" * 32), ("k1", b"x" * 32))
    assert BASE64 not in repr(read)


@pytest.mark.parametrize(
    ("given_", "missing"),
    [
        ({"POMNI_HASH_SECRET": BASE64}, "CACHE_ENCRYPTION_KEYS"),
        ({"CACHE_ENCRYPTION_KEYS": f"k1:{BASE64}"}, "POMNI_HASH_SECRET"),
    ],
)
def test_a_cache_without_its_secret_is_off_and_in_production_stops_the_start(
    given_: dict[str, str], missing: str
) -> None:
    environ = {"REDIS_URL": "redis://127.0.0.1:1", **given_}
    read = Settings.from_env(environ)
    assert not read.is_on("rag")
    assert missing in read.why_off("rag")
    assert read.is_on("access_state")
    with pytest.raises(SettingsError, match=f"{missing} is not set"):
        Settings.from_env({**environ, "POMNI_ENV": "production"})
    off = {f"REDIS_CACHE_{name}": "off" for name in ("RECENT_HISTORY", "TALKBUF", "RAG", "IDENTITY")}
    assert Settings.from_env({**environ, **off, "POMNI_ENV": "production"}).is_on("access_state")
