"""Files of keys: whose they are, who could read them, and what their errors give away."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq

from riskd.cli.app import run
from riskd.contract.roles import Role
from riskd.errors import KeysError
from riskd.key_folder import (
    ALLOWED_FILE,
    KEYS_MAX,
    SERVER_FILE,
    new_key,
    read_allowed,
    read_server_key,
    revoke_key,
)
from riskd.keys import ClientKey, client_key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    new_key(tmp_path / "keys", "admin", Role.ADMIN)
    return tmp_path / "keys"


def test_new_keys_are_their_owners_alone_and_pairs_of_curve(folder: Path):
    path = new_key(folder, "g-1", Role.GATEWAY, ("A1", "Å 2"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert sorted(file.name for file in folder.iterdir()) == [
        "admin.key", ALLOWED_FILE, "g-1.key", SERVER_FILE
    ]  # fmt: skip
    key = client_key(path)
    assert key is not None
    assert zmq.curve_public(key.secret.encode()).decode() == key.public
    server = read_server_key(folder)
    assert zmq.curve_public(server.secret.encode()).decode() == server.public == key.server
    told = {
        entry.name: (entry.role, entry.public, entry.accounts) for entry in read_allowed(folder)
    }
    assert told["g-1"] == (Role.GATEWAY, key.public, ("A1", "Å 2"))
    text = (folder / ALLOWED_FILE).read_text()
    assert key.secret not in text
    assert server.secret not in text


def test_revoked_key_is_off_the_list_and_its_file_gone(folder: Path):
    path = new_key(folder, "v", Role.VIEWER)
    assert revoke_key(folder, "v").role is Role.VIEWER
    assert [entry.name for entry in read_allowed(folder)] == ["admin"]
    assert not path.exists()
    with pytest.raises(KeysError, match="no key is called v"):
        revoke_key(folder, "v")
    assert new_key(folder, "v", Role.VIEWER) == path  # The name is free again.


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o601, 0o620])
@pytest.mark.parametrize("name", [SERVER_FILE, ALLOWED_FILE, "admin.key"])
def test_file_that_others_reach_is_not_read(folder: Path, name: str, mode: int):
    (folder / name).chmod(mode)
    readers: dict[str, Callable[[Path], object]] = {
        SERVER_FILE: lambda path: read_server_key(path.parent),
        ALLOWED_FILE: lambda path: read_allowed(path.parent),
    }
    with pytest.raises(KeysError, match=f"mode {mode:04o}.*chmod 600"):
        readers.get(name, client_key)(folder / name)


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o777, 0o711])
def test_folder_that_others_reach_is_not_read_and_gets_no_new_key(folder: Path, mode: int):
    folder.chmod(mode)
    with pytest.raises(KeysError, match=f"mode {mode:04o}.*chmod 700"):
        read_server_key(folder)
    with pytest.raises(KeysError, match="chmod 700"):
        new_key(folder, "v", Role.VIEWER)


def test_file_behind_a_link_is_not_read(folder: Path, tmp_path: Path):
    (tmp_path / "link.key").symlink_to(folder / "admin.key")
    with pytest.raises(KeysError, match="cannot be read"):
        client_key(tmp_path / "link.key")


@pytest.mark.parametrize(
    "text",
    [
        'public = "short"\nsecret = "SECRET"\nserver = "x"\n',
        'secret = "SECRET" SECRET',
        'secret = "SECRET"\n',
        "SECRET",
        'public = 1\nsecret = ["SECRET"]\nserver = 2\nname = "SECRET"\nextra = "SECRET"\n',
        "\x00SECRET",
    ],
)
def test_broken_key_file_is_refused_without_a_word_of_what_is_in_it(tmp_path: Path, text: str):
    path = tmp_path / "broken.key"
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(KeysError) as caught:
        client_key(path)
    assert "SECRET" not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert str(path) in str(caught.value)


def test_key_shows_no_secret_of_itself(folder: Path):
    key = client_key(folder / "admin.key")
    assert isinstance(key, ClientKey)
    assert key.secret not in f"{key!r} {key} {read_server_key(folder)!r}"
    assert read_server_key(folder).secret not in repr(read_server_key(folder))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ('[[key]]\nname = "a"\nrole = "king"\npublic = "{0}"\n', "role"),
        ('[[key]]\nname = "a"\nrole = "gateway"\npublic = "{0}"\n', "needs accounts"),
        ('[[key]]\nname = "a"\nrole = "viewer"\npublic = "{0}"\naccounts = ["A1"]\n', "has no"),
        ('[[key]]\nname = "admin"\nrole = "viewer"\npublic = "{0}"\n', "two keys have the name"),
        ('[[key]]\nname = "a"\nrole = "viewer"\npublic = "{1}"\n', "two keys have the public"),
        ('[[key]]\nname = "local operator"\nrole = "admin"\npublic = "{0}"\n', "name"),
        ('[[key]]\nname = "a"\nrole = "admin"\npublic = "local"\n', "public"),
        ('[[key]]\nname = "a"\nrole = "admin"\npublic = "{0}"\nsecret = "{0}"\n', "allowed.toml"),
    ],
)
def test_allow_list_with_a_wrong_entry_is_refused_whole(folder: Path, wrong: str, says: str):
    (known,) = read_allowed(folder)
    path = folder / ALLOWED_FILE
    fresh = zmq.curve_keypair()[0].decode()
    path.write_text(path.read_text() + wrong.replace("{0}", fresh).replace("{1}", known.public))
    with pytest.raises(KeysError, match=says):
        read_allowed(folder)


def test_allow_list_is_bounded(folder: Path):
    entry = '[[key]]\nname = "n{0}"\nrole = "viewer"\npublic = "{1}"\n'
    public = zmq.curve_keypair()[0].decode()
    entries = [entry.format(n, f"{n:05d}{public[5:]}") for n in range(KEYS_MAX + 1)]
    path = folder / ALLOWED_FILE
    path.write_text("".join(entries))
    with pytest.raises(KeysError):
        read_allowed(folder)
    path.write_text("".join(entries[:-1]))
    assert len(read_allowed(folder)) == KEYS_MAX
    with pytest.raises(KeysError, match="at most 1,000"):
        new_key(folder, "one-more", Role.VIEWER)
    assert not (folder / "one-more.key").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["new", "ann"], 2, "has no role"),
        (["new", "g", "--role", "gateway"], 2, "needs accounts"),
        (["new", "v", "--role", "viewer", "--accounts", "A1"], 2, "has no accounts"),
        (["new", "../x", "--role", "viewer"], 2, "is no name"),
        (["new", "server", "--role", "viewer"], 1, "own key"),
        (["new", "admin"], 1, "has a key already"),
        (["revoke", "nobody"], 1, "no key is called nobody"),
    ],
)
def test_keys_command_refuses_what_makes_no_sense(
    folder, monkeypatch, capsys, arguments, code, says
):
    monkeypatch.chdir(folder.parent)
    monkeypatch.delenv("RISKD_SECURITY__KEYS", raising=False)
    before = sorted(file.name for file in folder.iterdir())
    assert run(["keys", *arguments]) == code
    assert says in capsys.readouterr().err
    assert sorted(file.name for file in folder.iterdir()) == before


def test_keys_command_prints_no_secret(folder, monkeypatch, capsys):
    monkeypatch.setenv("RISKD_SECURITY__KEYS", str(folder))
    for arguments in (
        ["new", "ann", "--role", "operator"],
        ["new", "feed", "--json"],
        ["list"],
        ["list", "--json"],
        ["revoke", "ann", "--json"],
    ):
        secrets = [
            found.secret for path in folder.glob("*.key") if path.name != SERVER_FILE
            for found in [client_key(path)] if found is not None
        ]  # fmt: skip
        assert run(["keys", *arguments]) == 0
        shown = "".join(capsys.readouterr())
        assert not any(secret in shown for secret in (*secrets, read_server_key(folder).secret))


def test_command_with_a_key_that_others_could_read_stops(folder, capsys):
    (folder / "admin.key").chmod(0o644)
    assert run(["status", "--key", str(folder / "admin.key")]) == 5
    assert "chmod 600" in capsys.readouterr().err
