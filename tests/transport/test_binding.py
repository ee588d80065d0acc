"""Unix sockets of a port: in a folder of the owner alone, with mode 600; and nowhere else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from transport.binding import PRIVATE_UMASK, BindError, bind


@pytest.fixture
def socket() -> Iterator[zmq.Socket[bytes]]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    before = os.umask(PRIVATE_UMASK)
    yield context.socket(zmq.ROUTER)
    os.umask(before)
    context.destroy(linger=0)


def test_unix_socket_and_the_folder_made_for_it_are_the_owners_alone(socket, tmp_path: Path):
    folder = tmp_path / "s"
    assert bind(socket, "orders", f"ipc://{folder}/o") == f"ipc://{folder}/o"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "o").stat().st_mode) & 0o077 == 0


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o1777])
def test_folder_in_which_others_may_write_is_refused(socket, tmp_path: Path, mode: int):
    folder = tmp_path / "s"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(BindError, match="chmod 700"):
        bind(socket, "orders", f"ipc://{folder}/o")
    assert list(folder.iterdir()) == []


def test_address_in_use_is_told_with_its_port(socket, tmp_path: Path):
    bound = bind(socket, "orders", "tcp://127.0.0.1:*")
    with pytest.raises(BindError, match=f"control port {bound}.*another riskd"):
        bind(socket, "control", bound)
