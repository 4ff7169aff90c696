"""Pictures of pages: a browser that nobody sees shows what a plugin has written.

settings: what an operator chooses · wish: what a plugin wants, checked · devtools: the conversation with a browser ·
browser: one browser from its start to its end · page: one page becomes one picture · renderer: which browser, and when.
"""
