"""``person.*``: whom has the bot met, and what is known of them?

In the original a plugin reads any attribute of a person by its name. Here it reads what the store knows, and a default for
everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import persons
from ..store_errors import StoreError
from . import arguments

if TYPE_CHECKING:
    from ..store import Store
    from .request import CapabilityRequest
    from .table import CapabilityTable


def register_person(table: CapabilityTable, store: Store) -> None:
    """Add ``get_id``, ``get_value`` and ``get_id_by_name``."""

    def get_id(request: CapabilityRequest) -> None:
        platform = arguments.text(request.args, "platform")
        user_id = arguments.name_or_number(request.args, "user_id")
        request.answer({"success": True, "person_id": persons.person_id_of(platform, user_id)})

    def get_value(request: CapabilityRequest) -> None:
        person_id = arguments.text(request.args, "person_id")
        field = arguments.text(request.args, "field_name")
        default = request.args.get("default")

        def answer(outcome: Any) -> None:
            if isinstance(outcome, StoreError):
                request.fail_with(outcome)
            else:
                person = outcome or {}
                request.answer({"success": True, "value": person.get(field, default)})

        store.submit(persons.person_by_id(person_id), answer)

    def get_id_by_name(request: CapabilityRequest) -> None:
        name = arguments.text(request.args, "person_name")
        store.submit(persons.person_id_by_name(name), request.settle_with("person_id"))

    table.register("person.get_id", get_id, says_mistakes=True)
    table.register("person.get_value", get_value, says_mistakes=True)
    table.register("person.get_id_by_name", get_id_by_name, says_mistakes=True)
