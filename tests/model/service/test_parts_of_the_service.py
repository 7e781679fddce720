"""The pool, the memo, the store of originals, the keys."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from model.errors import InputError
from model.service.keys import Keys
from model.service.memo import ENTRY, Memo
from model.service.originals import ENTRY_BYTES, Originals, StoreLimits
from model.service.pool import BusyError, FairPool

KEY = "a-key-of-some-length"


def test_callers_take_turns() -> None:
    pool, go, done = FairPool(1, 100), threading.Event(), []
    first = pool.submit("a", go.wait)
    while pool.waiting:  # until the worker has begun
        pass
    for caller, number in [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("c", 1)]:
        pool.submit(caller, lambda name=f"{caller}{number}": done.append(name))
    go.set()
    pool.close()
    assert first.result() and done == ["a1", "b1", "c1", "a2", "a3"]


def test_a_full_queue_and_a_closed_one_take_nothing() -> None:
    pool, go = FairPool(1, 2), threading.Event()
    pool.submit("a", go.wait)
    while pool.waiting:
        pass
    last = [pool.submit("a", lambda: 7), pool.submit("b", lambda: 1 / 0)]
    with pytest.raises(BusyError):
        pool.submit("c", go.wait)
    go.set()
    pool.close()
    assert last[0].result() == 7 and isinstance(last[1].exception(), ZeroDivisionError)
    with pytest.raises(BusyError):
        pool.submit("a", go.wait)


def test_a_memo_forgets_what_was_used_least_recently() -> None:
    memo: Memo[str] = Memo(2 * (ENTRY + 10), len)
    memo.put("a", "x" * 10)
    memo.put("b", "y" * 10)
    assert memo.get("a")
    memo.put("c", "z" * 10)
    assert memo.get("b") is None and memo.get("a") and memo.get("c")
    memo.put("d", "w" * 1000)
    assert (len(memo), memo.bytes) == (0, 0)


def test_originals_belong_to_their_caller_and_expire() -> None:
    now = [0.0]
    store = Originals(StoreLimits(seconds=10), lambda: now[0])
    digest = store.put("ann", "Größe \ud83d!") or ""
    assert store.get("ann", digest.upper()) == "Größe \ud83d!"
    assert store.get("bob", digest) is None
    now[0] = 8
    assert store.put("ann", "Größe \ud83d!") == digest  # sent again, kept longer
    now[0] = 17
    assert store.get("ann", digest)
    now[0] = 19
    assert store.get("ann", digest) is None and (len(store), store.bytes) == (0, 0)


@pytest.mark.parametrize("limits", [StoreLimits(bytes=2 * (ENTRY_BYTES + 5)), StoreLimits(entries=2)])
def test_a_full_store_throws_nothing_away(limits: StoreLimits) -> None:
    store = Originals(limits)
    first, second = store.put("a", "11111"), store.put("a", "22222")
    assert store.put("a", "33333") is None
    assert first and second and store.get("a", first) == "11111" and store.put("a", "22222") == second


def test_keys_come_from_a_file_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keys").write_text(f"# ours\n{KEY}\n\nanother-key-of-ours-ü\n")
    monkeypatch.setenv("DIFFUMASK_KEYS", "a-third-key-of-ours,")
    keys = Keys.load(tmp_path / "keys")
    names = {keys.caller(f"Bearer {key}") for key in (KEY, "another-key-of-ours-ü", "a-third-key-of-ours")}
    assert len(names) == 3 and None not in names and not any(KEY in str(name) for name in names)
    assert keys.caller("Bearer of-somebody-else", KEY) == keys.caller(f"Bearer {KEY}", "x") == keys.caller(None, KEY)
    assert keys.caller(None, "") is None and keys.caller("Bearer of-somebody-else", "x") is None
    assert [keys.caller(header) for header in (None, "", KEY, f"Basic {KEY}", "Bearer ", "Bearer x")] == [None] * 6


def test_without_keys_anybody_may_call() -> None:
    assert Keys([]).open and Keys([]).caller(None) == Keys([]).caller("Bearer what")


@pytest.mark.parametrize(
    ("text", "message"), [("short\n", "at least 16"), ("# none\n", "holds no key"), (None, "cannot read")]
)
def test_key_files_that_will_not_do(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "keys").write_text(text)
    with pytest.raises(InputError, match=message):
        Keys.load(tmp_path / "keys")
