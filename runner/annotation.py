"""What does an annotation that was written as text stand for?"""

from __future__ import annotations

import sys
from typing import Any


def resolve(annotation: Any, module: str, names: dict[str, Any]) -> Any:
    """The object that an annotation names; an annotation that is no text stands for itself.

    Args:
        module: The ``__name__`` of the module in which it was written.
        names: Further names that it may use.

    Raises:
        NameError, SyntaxError, TypeError, AttributeError: It cannot be read where the module runs, mostly because a name
            is imported for the type checker only.
    """
    if not isinstance(annotation, str):
        return annotation
    known = vars(sys.modules[module]) if module in sys.modules else {}
    return eval(annotation, {**known}, names)  # what `typing.get_type_hints` does, for one annotation
