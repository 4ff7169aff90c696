"""Answers !roll with the dice that fell."""

from __future__ import annotations

import random
import re

from rookery.runner import Field, Message, Plugin, PluginConfig, command

DICE = re.compile(r"(\d{1,4})?d(\d{1,6})")


class DiceConfig(PluginConfig):
    max_dice: int = Field(20, "How many dice one roll may have.", ge=1, le=1000)
    seed: str = Field("", "Another text gives other luck.")


class Dice(Plugin[DiceConfig]):
    # A roll may be made again after a crash, because it comes to the same: see the luck.
    @command("roll", description="!roll NdM: rolls N dice with M sides", idempotent=True)
    async def roll(self, message: Message, args: str) -> str:
        wanted = DICE.fullmatch(args.strip() or "1d6")
        if wanted is None:
            return f"{args.strip()!r} is not a roll. Try !roll 2d6."
        count, sides = int(wanted[1] or 1), int(wanted[2])
        if not 1 <= count <= self.config.max_dice or sides < 1:
            return f"I have 1 to {self.config.max_dice} dice, each with at least one side."
        # The luck hangs on the message: the same message, replayed, rolls the same.
        luck = random.Random(f"{self.config.seed}/{message.id}")
        rolled = [luck.randint(1, sides) for _ in range(count)]
        total = f" = {sum(rolled)}" if count > 1 else ""
        return f"{count}d{sides}: {' + '.join(map(str, rolled))}{total}"
