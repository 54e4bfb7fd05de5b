-- The mail log: one table of truth, `events`, and the tables that materialized views keep from it.
-- Every table is keyed by workspace first. Times are milliseconds since the epoch, UTC. '' and 0 mean "not known".
-- Statements end with a semicolon at the end of a line. {month} turns a time into a partition that nonsense dates
-- cannot multiply; {expiry} turns a time into the moment from which keep_days counts.

CREATE TABLE IF NOT EXISTS events
(
    workspace UInt32,
    relay UInt32,
    accepted_at Int64 CODEC(Delta, ZSTD(1)),
    number UInt32,
    type LowCardinality(String),
    at Int64 CODEC(Delta, ZSTD(1)),
    kind LowCardinality(String),
    waiting Int8,
    recipient String CODEC(ZSTD(1)),
    original_recipient String CODEC(ZSTD(1)),
    recipient_number UInt32,
    sender LowCardinality(String),
    subject String CODEC(ZSTD(1)),
    message_id String CODEC(ZSTD(1)),
    header_from LowCardinality(String),
    reply_to LowCardinality(String),
    in_reply_to String CODEC(ZSTD(1)),
    `references` String CODEC(ZSTD(1)),
    origin LowCardinality(String),
    client_name LowCardinality(String),
    login LowCardinality(String),
    protocol LowCardinality(String),
    interface LowCardinality(String),
    size UInt64 CODEC(ZSTD(1)),
    recipients UInt32,
    queue_id String CODEC(ZSTD(1)),
    host LowCardinality(String),
    transport LowCardinality(String),
    mx_host LowCardinality(String),
    mx_ip LowCardinality(String),
    code UInt16,
    enhanced_code LowCardinality(String),
    reply String CODEC(ZSTD(1)),
    delay Int64 CODEC(ZSTD(1)),
    tls LowCardinality(String),
    family LowCardinality(String),
    hard Bool,
    source LowCardinality(String),
    line UInt64 CODEC(Delta, ZSTD(1)),
    raw String CODEC(ZSTD(3)),
    batch UInt64 CODEC(ZSTD(1)),
    keep_days UInt16
)
ENGINE = MergeTree
PARTITION BY {month:accepted_at}
ORDER BY (workspace, relay, accepted_at, number, at)
TTL {expiry:accepted_at} + toIntervalDay(keep_days) DELETE WHERE keep_days < 65535
SETTINGS {durable}, index_granularity = 1024;

-- One row for each mail and recipient. Every column is a maximum or a sum, so neither the order in which events
-- arrive nor the way they fall into batches matters. `state` orders the events of a delivery: time, then how final,
-- then a hash that tells equals apart; `via` and `outcome` carry it as a prefix of 16 hexadecimal digits, so that
-- the greatest of each is the one of the newest event. state = 0: only told of by an open, a click or the like.
CREATE TABLE IF NOT EXISTS deliveries
(
    workspace UInt32,
    relay UInt32,
    accepted_at Int64 CODEC(Delta, ZSTD(1)),
    number UInt32,
    recipient String CODEC(ZSTD(1)),
    original_recipient SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    recipient_number SimpleAggregateFunction(max, UInt32),
    kind SimpleAggregateFunction(max, LowCardinality(String)),
    sender SimpleAggregateFunction(max, LowCardinality(String)),
    subject SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    message_id SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    header_from SimpleAggregateFunction(max, LowCardinality(String)),
    reply_to SimpleAggregateFunction(max, LowCardinality(String)),
    in_reply_to SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    origin SimpleAggregateFunction(max, LowCardinality(String)),
    client_name SimpleAggregateFunction(max, LowCardinality(String)),
    login SimpleAggregateFunction(max, LowCardinality(String)),
    protocol SimpleAggregateFunction(max, LowCardinality(String)),
    interface SimpleAggregateFunction(max, LowCardinality(String)),
    size SimpleAggregateFunction(max, UInt64) CODEC(ZSTD(1)),
    queue_id SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    host SimpleAggregateFunction(max, LowCardinality(String)),
    state SimpleAggregateFunction(max, UInt64) CODEC(Delta, ZSTD(1)),
    via SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    outcome SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    attempts SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    complained_at SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
    opened_at SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
    clicked_at SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
    replied_at SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
    unsubscribed_at SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
    keep_days SimpleAggregateFunction(max, UInt16)
)
ENGINE = AggregatingMergeTree
PARTITION BY {month:accepted_at}
ORDER BY (workspace, relay, accepted_at, number, recipient)
TTL {expiry:accepted_at} + toIntervalDay(keep_days) DELETE WHERE keep_days < 65535
SETTINGS {durable}, index_granularity = 1024;

CREATE MATERIALIZED VIEW IF NOT EXISTS deliveries_feed TO deliveries AS
WITH
    transform(type, ['held', 'deferred', 'discarded', 'expired', 'bounced', 'delivered'], [1, 2, 3, 4, 5, 6], 0) AS rank,
    replaceAll(mx_host, '\x1f', ' ') AS mx,
    arrayStringConcat(arrayMap(x -> replaceAll(x, '\x1f', ' '), [
        toString(family), if(hard, '1', ''), if(code = 0, '', toString(code)), toString(enhanced_code), toString(transport),
        toString(mx_ip), if(delay = 0, '', toString(delay)), toString(tls)]), '\x1f') || '\x1f' || reply AS what,
    toUInt64(at + 8796093022208) * 4096 + rank * 256 + cityHash64(mx, what) % 256 AS newest,
    multiIf(rank > 0, newest, type = 'accepted', 1, 0) AS ordinal
SELECT
    workspace, relay, accepted_at, number, recipient, original_recipient, recipient_number, kind, sender, subject, message_id,
    header_from, reply_to, in_reply_to, origin, client_name, login, protocol, interface, size, queue_id, host,
    toUInt64(ordinal) AS state,
    if(rank = 0, '', lpad(hex(newest), 16, '0') || mx) AS via,
    if(rank = 0, '', lpad(hex(newest), 16, '0') || what) AS outcome,
    toUInt64(type IN ('delivered', 'deferred', 'bounced')) AS attempts,
    if(type = 'complained', at, 0) AS complained_at,
    if(type = 'opened', at, 0) AS opened_at,
    if(type = 'clicked', at, 0) AS clicked_at,
    if(type = 'replied', at, 0) AS replied_at,
    if(type = 'unsubscribed', at, 0) AS unsubscribed_at,
    keep_days
FROM events
WHERE recipient != '' AND type NOT IN ('rejected', 'reinjected');

-- One row for each mail that was accepted: what statistics count.
CREATE TABLE IF NOT EXISTS mails
(
    workspace UInt32,
    relay UInt32,
    accepted_at Int64 CODEC(Delta, ZSTD(1)),
    number UInt32,
    kind SimpleAggregateFunction(max, LowCardinality(String)),
    sender SimpleAggregateFunction(max, LowCardinality(String)),
    origin SimpleAggregateFunction(max, LowCardinality(String)),
    keep_days SimpleAggregateFunction(max, UInt16)
)
ENGINE = AggregatingMergeTree
PARTITION BY {month:accepted_at}
ORDER BY (workspace, relay, accepted_at, number)
TTL {expiry:accepted_at} + toIntervalDay(keep_days) DELETE WHERE keep_days < 65535
SETTINGS {durable};

CREATE MATERIALIZED VIEW IF NOT EXISTS mails_feed TO mails AS
SELECT workspace, relay, accepted_at, number, kind, sender, origin, keep_days
FROM events
WHERE type = 'accepted';

-- The mails that wait in the queue untried: those whose sum is above zero. Rows that sum to zero vanish in merges.
CREATE TABLE IF NOT EXISTS waiting
(
    workspace UInt32,
    relay UInt32,
    accepted_at Int64 CODEC(Delta, ZSTD(1)),
    number UInt32,
    waiting Int64
)
ENGINE = SummingMergeTree(waiting)
ORDER BY (workspace, relay, accepted_at, number)
SETTINGS {durable};

CREATE MATERIALIZED VIEW IF NOT EXISTS waiting_feed TO waiting AS
SELECT workspace, relay, accepted_at, number, toInt64(waiting) AS waiting
FROM events
WHERE waiting != 0;

-- What happened hour by hour, by the time at which it happened; mail proper only.
CREATE TABLE IF NOT EXISTS hourly
(
    workspace UInt32,
    relay UInt32,
    hour Int64 CODEC(Delta, ZSTD(1)),
    sender LowCardinality(String),
    domain LowCardinality(String),
    origin LowCardinality(String),
    delivered SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    deferred SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    bounced SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    rejected SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    keep_days SimpleAggregateFunction(max, UInt16)
)
ENGINE = AggregatingMergeTree
PARTITION BY {month:hour}
ORDER BY (workspace, relay, hour, sender, domain, origin)
TTL {expiry:hour} + toIntervalDay(keep_days) DELETE WHERE keep_days < 65535
SETTINGS {durable};

CREATE MATERIALIZED VIEW IF NOT EXISTS hourly_feed TO hourly AS
SELECT
    workspace, relay, at - positiveModulo(at, 3600000) AS hour, sender,
    if(position(recipient, '@') = 0, '', splitByChar('@', recipient)[-1]) AS domain, origin,
    toUInt64(type = 'delivered') AS delivered,
    toUInt64(type = 'deferred') AS deferred,
    toUInt64(type IN ('bounced', 'expired')) AS bounced,
    toUInt64(type = 'rejected') AS rejected,
    keep_days
FROM events
WHERE kind = 'mail' AND type IN ('delivered', 'deferred', 'bounced', 'expired', 'rejected');

-- Batches that came with a backup, which brings rows but not the marks by which a table recognises a batch.
CREATE TABLE IF NOT EXISTS restored (batch UInt64) ENGINE = ReplacingMergeTree ORDER BY batch;
