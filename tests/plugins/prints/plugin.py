"""A plugin that prints in every way there is."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading

from rookery.runner import Plugin, tool

print("printed at import")


class Prints(Plugin):
    async def on_load(self) -> None:
        print("printed", "on load", end="")

    @tool(description="Prints.")
    async def speak(self, text: str) -> None:
        print(text)
        sys.stderr.write(f"error: {text}\n")

    @tool(description="Prints in a thread.")
    def speak_in_thread(self, text: str) -> None:
        print(text)

    @tool(description="Writes to the descriptors.")
    async def write_raw(self, text: str) -> None:
        os.write(1, f"{text}\n".encode())
        os.write(2, f"error: {text}".encode())

    @tool(description="Lets a child process write.")
    async def let_child_write(self, text: str) -> None:
        subprocess.run(["/bin/echo", text], check=True)

    @tool(description="Writes from a thread of its own, later.")
    async def write_late(self, text: str) -> None:
        threading.Timer(0.05, os.write, (1, f"{text}\n".encode())).start()

    @tool(description="Lets a library log.")
    async def let_library_log(self, text: str) -> None:
        logging.getLogger("some.library").warning("%s", text)

    @tool(description="Logs something that cannot be formatted.")
    async def log_badly(self) -> None:
        self.ctx.logger.info("%d", "no number")

    @tool(description="Logs an exception.")
    async def log_exception(self) -> None:
        try:
            _ = 1 / 0
        except ZeroDivisionError:
            self.ctx.logger.exception("it failed")

    @tool(description="Says something and ends the process at once.")
    async def die(self, text: str) -> None:
        self.ctx.logger.warning("%s", text)
        os.write(2, b"raw last words\n")
        os._exit(9)
