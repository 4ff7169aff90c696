"""How does an operator let a chat in, or keep it out, over the control socket?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .control import RequestRefused
from .platform.chat_policy import ChatType, DefaultAction
from .platform.policy_edit import Override, forget_chat, set_chat, set_default

if TYPE_CHECKING:
    from .control import Command, Request
    from .supervisor import Supervisor


def chat_commands(supervisor: Supervisor) -> dict[str, Command]:
    """The command, by name."""

    async def chats(request: Request) -> Any:
        policy = supervisor.parts.chat_policy
        if policy is None:
            raise RequestRefused(
                'this bot has no chat policy; name a file for it: [gateways] chat_policy = "chats.toml"'
            )
        kind = _word(request, "chat_type", ChatType)
        override = _word(request, "action", Override)
        gateway = _gateway(request)
        chat = request.get("chat")
        if chat is None:
            action = None if override is Override.INHERIT else DefaultAction(override.value)
            changed = set_default(policy.path, kind, action, gateway=gateway)
        elif type(chat) is not str:
            raise RequestRefused(f'"chat" is the id of a chat, a text, or left out for all; got {chat!r:.60}')
        elif override is Override.INHERIT and gateway is None:
            changed = forget_chat(policy.path, kind, chat)
        else:
            changed = set_chat(policy.path, kind, chat, override, gateway=gateway)
        policy.look_now()
        return {"changed": changed, "file": str(policy.path), "mistakes": list(map(str, policy.mistakes))}

    return {"chats": chats}


def _word(request: Request, name: str, kind: Any) -> Any:
    try:
        return kind(request.get(name))
    except ValueError:
        words = ", ".join(f'"{each.value}"' for each in kind)
        raise RequestRefused(f'"{name}" is one of {words}; got {request.get(name)!r:.60}') from None


def _gateway(request: Request) -> dict[str, str] | None:
    gateway = request.get("gateway")
    if gateway is None:
        return None
    if type(gateway) is not dict or not all(type(each) is str for each in gateway.values()):
        raise RequestRefused(f'"gateway" is what an entry names, all texts; got {gateway!r:.60}')
    return gateway
