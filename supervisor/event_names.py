"""Which events does the host dispatch of its own accord?

A host application may dispatch events of any other name; these are what the default pipeline and the life of a deployment
give rise to, and nothing else has to subscribe to them before plugins get them:

| event | message | intercepting handlers may |
|---|---|---|
| ``on_start`` | none | the deployment is up, no message has been processed: nothing to change |
| ``on_message_pre_process`` | a message that has come in | change it, stop it: then it is no command and no event |
| ``on_message`` | the same, also when it calls a command | change and stop it |
| ``post_send_pre_process`` | a message that the bot has composed | change it, stop it: then it is not sent |
| ``post_send`` | the same, on its way to its gateway | change it, stop it |
| ``after_send`` | the same, when the gateway has it | nothing |
| ``on_stop`` | none | the deployment stops: what is still in flight ends after it |

``on_plan``, ``post_llm`` and ``after_llm`` belong to a brain, which this host has not: an application that has one dispatches
them.
"""

from __future__ import annotations

ON_START = "on_start"
ON_STOP = "on_stop"
ON_MESSAGE_PRE_PROCESS = "on_message_pre_process"
ON_MESSAGE = "on_message"
POST_SEND_PRE_PROCESS = "post_send_pre_process"
POST_SEND = "post_send"
AFTER_SEND = "after_send"
