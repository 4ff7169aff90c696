"""What chat is replayed when nobody gives a recording: a synthetic one, the same for the same seed."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path  # noqa: TC003 (a script: nothing is gained by deferring it)

WORDS = (
    "the", "a", "to", "and", "is", "it", "that", "in", "of", "you", "for", "on", "this", "have", "with",
    "not", "be", "but", "are", "can", "what", "if", "my", "so", "do", "how", "get", "just", "like",
    "know", "use", "from", "there", "would", "one", "will", "all", "about", "any", "time", "works",
    "file", "server", "package", "install", "error", "try", "thanks", "kernel", "module", "update",
    "reboot", "driver", "screen", "config", "user", "root", "path", "build", "patch", "branch", "merge",
    "test",
)  # fmt: skip
ASKED = ("!help", "!roll 2d6", "!karma alice", "!stats", "!seen alice")


def write_corpus(path: Path, messages: int, *, chats: int = 40, people: int = 200, seed: int = 1) -> None:
    """Write ``messages`` lines of chat: a few busy chats and many quiet ones, some votes, addresses and commands."""
    luck = random.Random(seed)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    names = ["alice", "bob", *(f"user{number}" for number in range(people - 2))]
    weights = [1 / (rank + 1) for rank in range(chats)]
    with path.open("w") as file:
        for number in range(messages):
            chat = luck.choices(range(chats), weights)[0]
            record = {
                "platform": "irc",
                "chat": f"#chat{chat}",
                "user": luck.choice(names),
                "time": (start + timedelta(seconds=number)).isoformat(),
                "text": _text(luck, names),
            }
            file.write(json.dumps(record) + "\n")


def _text(luck: random.Random, names: list[str]) -> str:
    kind = luck.random()
    if kind < 0.02:
        return luck.choice(ASKED)
    if kind < 0.05:
        return f"{luck.choice(names)}++"
    text = " ".join(luck.choices(WORDS, k=luck.randint(2, 20)))
    if kind < 0.08:
        return f"{text} https://example.org/{luck.choice(WORDS)}"
    return text
