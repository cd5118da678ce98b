"""The queues before Loki, by stream: batches, retries and pushes in flight.

Entries and outcomes come in, pushes go out. One push of a stream is in flight at a time. The room decides
only: ``pipeline`` sends the pushes and brings back the answers.

Theory of operation
===================

Two facts about Loki shape this room. A 204 can hide the rejection of a part of a push: if Loki shards a
stream, the last shard decides the status. And an error can hide that entries were stored: an ingester goes on
after its client has left. Either way a wrong assumption loses lines or sends them twice.

So a push holds one stream, and only entries of which it is known that Loki accepts them. An entry that Loki
may reject (it is far behind or ahead of its stream's newest entry, or a push with it was refused) travels in
a push of its own; then a 400 names this entry and a 204 acknowledges it.

The states of an entry, and what moves it on:

=================  =========================================  =============================================
state              held in                                    next
=================  =========================================  =============================================
batched            ``Batcher``                                queued, when the batch is full or due
queued             ``StreamQueue.batches``, ``doubtful``      in flight, when the stream's turn comes
in flight          ``in_flight``                              see the answers below
to be sent again   ``repeats``                                in flight, after a growing wait
to be verified     ``repeats`` with ``push.verify``           acknowledged, or to be sent again
deferred, parked   ``deferred``                               in flight, every 30 s; blocks nothing else
settled            nowhere                                    its range of bytes is acknowledged
=================  =========================================  =============================================

What an answer does to a push (``shipper.loki.push.answers`` tells the meaning):

- *Acknowledged* (204): all its entries are settled.
- *Refused* (a 400 that names entries): a single entry is settled as rejected. If it is too long, its line is
  split anew; if it is too far behind, it is sent in the stream with the label ``late``; if it is too new, it
  is deferred. Of several entries, Loki may have stored some, so the push is verified and the rest travels
  alone.
- *Limited* (429): the rate is lowered (``rate_limit``) and the push is sent again. For a limit of one stream,
  some shards may have stored their part, so a push of several entries is verified first.
- *Too large* (413): nothing was stored; the push is halved.
- *Not sent*: nothing was stored; the push is sent again.
- *Unknown* (no answer, a 5xx): the push may be stored, or may still arrive. It waits 10 s, doubled after each
  push that arrived later than that, and is then verified: Loki is queried for its entries. What Loki has is
  settled, the rest is sent again. If Loki cannot be queried, the push is sent again and its entries are
  counted as ``maybe_duplicated``.
- *Anything else* (401, 404, ...): the push is sent again until an operator acts.

A push that keeps failing while others succeed is itself the cause. It is halved down to the entry that fails;
that one is parked, so that the rest of its stream continues.
"""
