"""Ray's side of the actors: each holds a plain service on an event loop of its own, and forwards.

A shell starts opening its service in its constructor, because that is all that Ray runs again after
a death. Its methods wait for the opening and raise what it raised; the next call tries again.
Nothing here decides anything about data.
"""
