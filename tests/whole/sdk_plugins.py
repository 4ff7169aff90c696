"""What a plugin of the public SDK says about itself, for tests."""

from __future__ import annotations

from typing import Any

MANIFEST: dict[str, Any] = {
    "manifest_version": 2,
    "version": "1.0.0",
    "name": "A plugin of the SDK",
    "description": "for a test",
    "license": "MIT",
    "author": {"name": "somebody", "url": "https://example.org"},
    "urls": {"repository": "https://example.org/repository"},
    "host_application": {"min_version": "1.0.0", "max_version": "99.0.0"},
    "sdk": {"min_version": "2.0.0", "max_version": "2.99.99"},
    "i18n": {"default_locale": "en"},
    "capabilities": [
        "send.text",
        "database.save",
        "database.get",
        "api.call",
        "api.replace_dynamic",
        "component.disable",
    ],
}
