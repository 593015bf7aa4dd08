"""A statement whose token is in the log already: its caller hears what the first attempt came to.

Whatever has happened since does not matter: the table may be gone, the rows others, the file of a
COPY removed. So the token is looked up before the statement is planned, and once more where it is
refused, for its first attempt may have become durable meanwhile.
"""

from __future__ import annotations

from actors.messages import CommitReply
from actors.planner import Verb
from actors.primary.modify import committed_before
from storage.snapshot.model import Receipt

__all__ = ["first_reply"]


def first_reply(verb: Verb, receipt: Receipt) -> CommitReply:
    """What a statement is answered that was committed before, with this receipt.

    Raises Conflict (40003): it returned rows, which nobody has kept.
    """
    if verb.returning:
        raise committed_before(receipt.lsn)
    tag = f"{verb.tag} {verb.rows(receipt.row_counts)}" if verb.counted else verb.tag
    return CommitReply(receipt=receipt, tag=tag, temporary=verb.temporary)
