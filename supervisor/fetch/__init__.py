"""A plugin asks the host to fetch an address for it, from hosts that its operator has named.

settings: what the operator chose · allow_list: which addresses of the web those are · addresses: which machines may stand
behind a name · wish: what a plugin wants, and which headers pass · bucket: how often · exchange: one question and one answer
over one connection · encoding: an answer that came compressed · fetcher: all of it for one wish, redirects included · failure.
"""
