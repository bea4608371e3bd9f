"""The reference disaggregated transfer: how the KV cache of a prompt goes from prefill to decode.

`kvgauge transfer` (`commands`, `run`, `driver`, `workers`) moves requests between a
process for each rank, one at a time, and checks every byte.

What decides over many requests at once is pure, and not driven by it yet: events go
in, the new state and the orders to carry out come out, and time passes only through
the clock values that come with the events. A driver has a `requests.ledger.Ledger`, an
`requests.inbox.Inbox` and an `requests.inbox.Outbox` for each server. It gives its ranks' words and its
peer's messages (`translate.event_of`) to `ledger.handle`, lost ranks and restarted
peers to `ledger.handle_all`, the clock to `ledger.tick` at `ledger.next_deadline_ns`,
and carries out the orders one after the other: messages through `translate.body_of`,
and `Post` and `CancelRanks` by its ranks. It owes the ledger the truth about one
thing: `Stopped` is proof. A failed post, a dead process and a time-out are none.
"""
