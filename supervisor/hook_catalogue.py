"""Which hooks are known to plugins: those that the host's flow has, and those that only an application can have?

The default pipeline fires these, in this order, for one message and its answer:

| hook | arguments | may |
|---|---|---|
| ``chat.receive.before_process`` | message | change the message, abort (it is dropped) |
| ``chat.receive.after_process`` | message | the same; whether it is a command is known by now |
| ``chat.command.before_execute`` | message, command_name, plugin_id, matched_groups | change, abort (it is not run) |
| ``chat.command.after_execute`` | the same, success, response, intercept_message_level, continue_process | change |
| ``send_service.after_build_message`` | message, stream_id, processed_plain_text, typing, set_reply, storage_message, show_log | change, abort |
| ``send_service.before_send`` | message, typing, set_reply, reply_message_id, storage_message, show_log | change, abort |
| ``send_service.after_send`` | the same, sent | see |

The others of protocol 1.0.0 are about a brain, which this host has not (``APPLICATION_HOOKS``). They are known all the same, so
that a plugin which wants to hear of them loads; a host application that has a brain fires them.

A host application makes hooks of its own known with ``open_supervisor(hooks=…)`` or ``Supervisor.register_hook``.
"""

from __future__ import annotations

from typing import Any

from .hook_spec import HookSpec

CHAT_BEFORE_PROCESS = "chat.receive.before_process"
CHAT_AFTER_PROCESS = "chat.receive.after_process"
COMMAND_BEFORE_EXECUTE = "chat.command.before_execute"
COMMAND_AFTER_EXECUTE = "chat.command.after_execute"
SEND_AFTER_BUILD = "send_service.after_build_message"
SEND_BEFORE = "send_service.before_send"
SEND_AFTER = "send_service.after_send"


def _of(kind: str, *names: str) -> dict[str, Any]:
    return {name: {"type": kind} for name in names}


_MESSAGE = _of("object", "message")
_COMMAND = {**_MESSAGE, **_of("string", "command_name", "plugin_id"), **_of("object", "matched_groups")}
_FLAGS = _of("boolean", "typing", "set_reply", "storage_message", "show_log")
_SENDING = {**_MESSAGE, **_FLAGS, **_of("string", "reply_message_id")}

CATALOGUE = (
    HookSpec(
        name=CHAT_BEFORE_PROCESS,
        description="A message has come in; nothing has seen it but the store. Abort drops it.",
        parameters_schema=_MESSAGE,
    ),
    HookSpec(
        name=CHAT_AFTER_PROCESS,
        description="It is known whether a message calls a command; nobody has been called yet. Abort drops it.",
        parameters_schema=_MESSAGE,
    ),
    HookSpec(
        name=COMMAND_BEFORE_EXECUTE,
        description="A command is about to run. Abort drops the command; the message goes on.",
        parameters_schema=_COMMAND,
        read_only=frozenset({"command_name", "plugin_id"}),
    ),
    HookSpec(
        name=COMMAND_AFTER_EXECUTE,
        description="A command has run; its response may be changed before it is sent.",
        parameters_schema={
            **_COMMAND,
            **_of("boolean", "success", "intercept_message_level", "continue_process"),
            **_of("string", "response"),
        },
        allow_abort=False,
        read_only=frozenset({"command_name", "plugin_id"}),
    ),
    HookSpec(
        name=SEND_AFTER_BUILD,
        description="A message was composed for a conversation. Abort drops it.",
        parameters_schema={**_MESSAGE, **_of("string", "stream_id", "processed_plain_text"), **_FLAGS},
        default_timeout=5.0,
    ),
    HookSpec(
        name=SEND_BEFORE,
        description="A message is about to go out. Abort drops it.",
        parameters_schema=_SENDING,
        default_timeout=5.0,
    ),
    HookSpec(
        name=SEND_AFTER,
        description="A message has gone out, or has not.",
        parameters_schema={**_SENDING, **_of("boolean", "sent")},
        default_timeout=5.0,
        allow_abort=False,
        allow_mutation=False,
    ),
)
"""The hooks that the default pipeline fires."""


def _brain(name: str, timeout: float, parameters: str, *, allow_abort: bool = False) -> HookSpec:
    return HookSpec(
        name=name,
        parameters_schema={"type": "object", "properties": {each: {} for each in parameters.split()}},
        default_timeout=timeout,
        allow_abort=allow_abort,
        is_applications=True,
    )


_EMOJI = "stream_id requested_emotion reasoning context_texts sample_size abort_message"
_SELECT = "chat_id chat_info max_num target_message reply_reason think_level"
_REQUEST = "session_id request_type task_name"
_TRIES = "attempt retry_count max_retries reply_message_id"
_COUNTS = "selected_history_count built_message_count selection_reason session_id"
_TOKENS = "prompt_tokens completion_tokens total_tokens"

APPLICATION_HOOKS = (
    _brain("emoji.maisaka.before_select", 5.0, _EMOJI, allow_abort=True),
    _brain(
        "emoji.maisaka.after_select",
        5.0,
        f"{_EMOJI} selected_emoji selected_emoji_hash matched_emotion",
        allow_abort=True,
    ),
    _brain("emoji.register.after_build_description", 5.0, "emoji description image_format", allow_abort=True),
    _brain("jargon.extract.before_persist", 5.0, "session_id session_name entries", allow_abort=True),
    _brain(
        "jargon.inference.before_finalize",
        5.0,
        "session_id session_name content count raw_content_list comparison_result is_jargon meaning is_complete"
        " last_inference_count",
        allow_abort=True,
    ),
    _brain("expression.select.before_select", 5.0, _SELECT, allow_abort=True),
    _brain(
        "expression.select.after_selection",
        5.0,
        f"{_SELECT} selected_expressions selected_expression_ids",
        allow_abort=True,
    ),
    _brain(
        "expression.learn.after_extract",
        5.0,
        "session_id message_count expressions jargon_entries",
        allow_abort=True,
    ),
    _brain("expression.learn.before_upsert", 5.0, "session_id situation style", allow_abort=True),
    _brain("maisaka.planner.before_request", 6.0, f"items item_schema_version tool_definitions {_COUNTS}"),
    _brain("maisaka.planner.after_response", 6.0, f"output_items item_schema_version {_COUNTS} {_TOKENS}"),
    _brain(
        "maisaka.replyer.before_request",
        6.0,
        f"{_REQUEST} model_name extra_prompt {_TRIES} reply_reason selected_expression_ids reply_tool_args",
    ),
    _brain(
        "maisaka.replyer.before_model_request",
        6.0,
        f"items item_schema_version {_REQUEST} requested_model_name selected_model_name selected_model_visual {_TRIES}"
        " reply_reason selected_expression_ids reply_tool_args",
    ),
    _brain(
        "maisaka.replyer.after_response",
        6.0,
        f"response output_items item_schema_version {_REQUEST} requested_model_name {_TRIES} selected_expression_ids"
        f" reply_tool_args {_TOKENS} retry retry_reason matched_regex matched_regex_pattern matched_regex_description",
    ),
    _brain(
        "maisaka.reply.before_post_process",
        6.0,
        "response session_id reply_message_id reply_tool_args skip_post_process enable_splitter enable_chinese_typo",
    ),
)
"""The hooks of protocol 1.0.0 that a brain would fire."""
