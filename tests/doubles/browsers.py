"""A program that speaks as a browser's developer tools do, without being a browser; and a reader of simple pictures."""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

_CODE = '''#!{python} -IS
"""Says what it was told to be by the html of the page, and what it is by itself in the mode."""
import json, os, subprocess, sys, time

MODE = {mode!r}
HERE = {here!r}
if MODE == "refuses":
    print("cannot run as root without --no-sandbox", file=sys.stderr)
    sys.exit(1)
if MODE == "silent":
    time.sleep(600)
with open(HERE + "/starts", "a") as file:
    file.write(json.dumps([os.getpid(), sys.argv[1:], sorted(os.environ)]) + "\\n")
if MODE == "daemon":
    daemon = subprocess.Popen(["sleep", "600"], start_new_session=True)
    with open(HERE + "/daemon", "w") as file:
        file.write(str(daemon.pid))
PNG = bytes.fromhex({png!r})


def say(**message):
    data = json.dumps(message).encode() + b"\\0"
    while data:
        data = data[os.write(4, data):]


def event(session, method, **params):
    say(sessionId=session, method=method, params=params)


def answer(message):
    import base64
    method, params, session = message["method"], message.get("params", {{}}), message.get("sessionId", "")
    result = {{}}
    if method == "Target.createBrowserContext":
        result = {{"browserContextId": "c%d" % message["id"]}}
    elif method == "Target.createTarget":
        result = {{"targetId": "t" + params["browserContextId"]}}
    elif method == "Target.attachToTarget":
        result = {{"sessionId": "s" + params["targetId"]}}
    elif method == "Page.getFrameTree":
        result = {{"frameTree": {{"frame": {{"id": "f"}}}}}}
    elif method == "Page.navigate":
        event(session, "Fetch.requestPaused", requestId="r", request={{"url": params["url"]}})
    elif method == "Fetch.fulfillRequest":
        page = base64.b64decode(params["body"]).decode()
        if page == "dies":
            os._exit(3)
        if page == "garbage":
            os.write(4, b"\\xff{{[\\0" + b"[]\\0" + b'{{"id": "x"}}\\0')
        if page.startswith("loads "):
            for number, url in enumerate(page.split()[1:]):
                event(session, "Fetch.requestPaused", requestId="q%d" % number, request={{"url": url}})
        if page == "crashes":
            event(session, "Inspector.targetCrashed")
        if page != "hangs":
            event(session, "Page.lifecycleEvent", frameId="f", name="load")
    elif method in ("Fetch.continueRequest", "Fetch.failRequest"):
        with open(HERE + "/loads", "a") as file:
            file.write(params["requestId"] + " " + method.partition(".")[2] + "\\n")
    elif method == "Page.createIsolatedWorld":
        result = {{"executionContextId": 1}}
    elif method == "Runtime.evaluate":
        result = {{"result": {{"value": [0, 0, 2, 1]}}}}
    elif method == "Page.captureScreenshot":
        result = {{"data": base64.b64encode(PNG).decode()}}
    say(id=message["id"], result=result)


buffer = b""
while chunk := os.read(3, 65536):
    buffer += chunk
    while b"\\0" in buffer:
        text, buffer = buffer.split(b"\\0", 1)
        answer(json.loads(text))
'''


def write_browser(directory: Path, mode: str = "works") -> Path:
    """Write the program; it notes each of its starts in ``starts`` beside it.

    Args:
        mode: ``works``; ``refuses`` to start, and says why; ``silent`` answers nothing; ``daemon`` leaves a process behind.
    """
    path = directory / "browser"
    text = _CODE.format(
        python=sys.executable, mode=mode, here=str(directory), png=make_png(2, 1, b"\xff\0\0\xff" * 2).hex()
    )
    path.write_text(text)
    path.chmod(0o700)
    return path


def make_png(width: int, height: int, pixels: bytes) -> bytes:
    """A picture of these pixels, four bytes each."""
    rows = b"".join(
        b"\0" + pixels[place : place + 4 * width] for place in range(0, 4 * width * height, 4 * width)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


def read_png(data: bytes) -> list[list[bytes]]:
    """The pixels of a picture, row by row; each has three or four bytes."""
    width, height, depth, colours = struct.unpack(">IIBB", data[16:26])
    assert (depth, colours in (2, 6)) == (8, True), "a picture of another kind"
    size = 4 if colours == 6 else 3
    place, packed = 8, b""
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        if data[place + 4 : place + 8] == b"IDAT":
            packed += data[place + 8 : place + 8 + length]
        place += length + 12
    raw, before, rows = zlib.decompress(packed), bytearray(width * size), []
    for row in range(height):
        start = row * (width * size + 1)
        line = _unfilter(raw[start], bytearray(raw[start + 1 : start + 1 + width * size]), before, size)
        rows.append([bytes(line[at : at + size]) for at in range(0, len(line), size)])
        before = line
    return rows


def _unfilter(kind: int, line: bytearray, above: bytearray, size: int) -> bytearray:
    for at in range(len(line)):
        left = line[at - size] if at >= size else 0
        corner = above[at - size] if at >= size else 0
        guess = (0, left, above[at], (left + above[at]) // 2, _paeth(left, above[at], corner))[kind]
        line[at] = (line[at] + guess) & 255
    return line


def _paeth(left: int, above: int, corner: int) -> int:
    value = left + above - corner
    return min((left, above, corner), key=lambda each: abs(value - each))
