"""How does the command line ask a running host, without an event loop?"""

from __future__ import annotations

import json
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .state_directory import control_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


CONNECT_TIMEOUT = 5.0
"""Seconds within which a host takes a call; one that is stopped by a signal does not."""


class NotRunning(Exception):
    """No host answers in a state directory.

    Not a `RookeryError`: that lies behind the protocol's door, which loads the event loop.
    """


class AskFailed(Exception):
    """A host is there but its answer is an error, no JSON, or did not come in time. Root: see `NotRunning`."""


class HostGone(AskFailed):
    """The host hung up in the middle of a long answer: it has ended, or is about to."""


def ask(state_dir: Path, command: str, *, timeout: float = 5.0, **arguments: Any) -> Any:
    """Send one command and give back its result.

    Args:
        timeout: Seconds for each step of the exchange.
        arguments: What the command takes besides its name.

    Raises:
        NotRunning: Nothing listens there.
        AskFailed: The host answered with an error, or not as it should.
    """
    with _connected(state_dir, timeout) as sock:
        return _result(_exchange(sock, {"command": command, **arguments}, timeout))


def follow(
    state_dir: Path, command: str, *, patience: float | None = None, **arguments: Any
) -> Iterator[Any]:
    """Send one command and give each part of its answer as it comes, until the host says that it was the last.

    Args:
        patience: Seconds between two parts at most; None waits for ever.

    Raises:
        NotRunning: Nothing listens there.
        HostGone: The host went away before the end.
        AskFailed: As of `ask`.
    """
    with _connected(state_dir, CONNECT_TIMEOUT) as sock:
        sock.settimeout(patience)
        try:
            sock.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
            with sock.makefile("rb") as file:
                for line in file:
                    answer = _parse(line)
                    if "error" in answer:
                        raise AskFailed(str(answer["error"]))
                    if "item" not in answer:
                        return
                    yield answer["item"]
        except TimeoutError:
            raise AskFailed(f"the host has said nothing for {patience:g} s") from None
        except OSError:
            pass  # a host that is killed leaves a broken connection
    raise HostGone("the host has gone")


@contextmanager
def _connected(state_dir: Path, timeout: float) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        try:
            with control_address(state_dir) as address:
                sock.connect(address)
        except TimeoutError:
            raise AskFailed(f"the host did not take the call within {timeout:g} s") from None
        except OSError as error:
            # Refused: the socket's host died without removing it.
            raise NotRunning(error.strerror or str(error)) from None
        yield sock


def _exchange(sock: socket.socket, request: Mapping[str, Any], timeout: float) -> bytes:
    try:
        sock.sendall(json.dumps(request).encode() + b"\n")
        with sock.makefile("rb") as file:
            return file.readline()
    except TimeoutError:
        raise AskFailed(f"the host did not answer within {timeout:g} s") from None
    except OSError as error:
        raise AskFailed(f"the host hung up: {error.strerror or error}") from None


def _result(line: bytes) -> Any:
    answer = _parse(line)
    if not answer.keys() & {"result", "error"}:
        raise AskFailed(f"the host's answer has neither result nor error: {line[:60]!r}")
    if "error" in answer:
        raise AskFailed(str(answer["error"]))
    return answer["result"]


def _parse(line: bytes) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        raise AskFailed("the host hung up before its answer was complete")
    try:
        answer = json.loads(line)
    except ValueError:
        raise AskFailed(f"the host's answer is not JSON: {line[:60]!r}") from None
    if not isinstance(answer, dict):
        raise AskFailed(f"the host's answer has neither result nor error: {line[:60]!r}")
    return answer
