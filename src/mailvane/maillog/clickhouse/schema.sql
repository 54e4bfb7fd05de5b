-- The mail log: one table of truth, `events`, and the tables that materialized views keep from it.
-- Every table is keyed by workspace first. Times are milliseconds since the epoch, UTC. '' and 0 mean "not known".
-- Statements end with a semicolon at the end of a line. {month} and {week} turn a time into a partition that nonsense
-- dates cannot multiply; {expiry} turns a time into the moment from which keep_days counts.

CREATE TABLE IF NOT EXISTS events
(
    workspace UInt32,
    relay UInt32,
    accepted_at Int64 CODEC(Delta, ZSTD(1)),
    number UInt32 CODEC(ZSTD(1)),
    type LowCardinality(String) CODEC(ZSTD(1)),
    at Int64 CODEC(Delta, ZSTD(1)),
    kind Enum8('mail' = 1, 'notification' = 2, 'probe' = 3) CODEC(ZSTD(1)),
    waiting Int8 CODEC(ZSTD(1)),
    recipient String CODEC(ZSTD(1)),
    original_recipient String CODEC(ZSTD(1)),
    recipient_number UInt32 CODEC(ZSTD(1)),
    sender String CODEC(ZSTD(1)),
    subject String CODEC(ZSTD(1)),
    message_id String CODEC(ZSTD(1)),
    header_from String CODEC(ZSTD(1)),
    reply_to String CODEC(ZSTD(1)),
    in_reply_to String CODEC(ZSTD(1)),
    `references` String CODEC(ZSTD(1)),
    origin String CODEC(ZSTD(1)),
    client_name LowCardinality(String) CODEC(ZSTD(1)),
    login LowCardinality(String) CODEC(ZSTD(1)),
    protocol LowCardinality(String) CODEC(ZSTD(1)),
    interface LowCardinality(String) CODEC(ZSTD(1)),
    size UInt64 CODEC(ZSTD(1)),
    recipients UInt32 CODEC(ZSTD(1)),
    queue_id String CODEC(ZSTD(1)),
    host LowCardinality(String) CODEC(ZSTD(1)),
    transport LowCardinality(String) CODEC(ZSTD(1)),
    mx_host LowCardinality(String) CODEC(ZSTD(1)),
    mx_ip LowCardinality(String) CODEC(ZSTD(1)),
    code UInt16 CODEC(ZSTD(1)),
    enhanced_code LowCardinality(String) CODEC(ZSTD(1)),
    reply String CODEC(ZSTD(1)),
    delay Int64 CODEC(ZSTD(1)),
    tls LowCardinality(String) CODEC(ZSTD(1)),
    family LowCardinality(String) CODEC(ZSTD(1)),
    hard Bool CODEC(ZSTD(1)),
    source LowCardinality(String) CODEC(ZSTD(1)),
    line UInt64 CODEC(Delta, ZSTD(1)),
    raw String CODEC(ZSTD(1)),
    campaign LowCardinality(String) CODEC(ZSTD(1)),
    sequence LowCardinality(String) CODEC(ZSTD(1)),
    step UInt16 CODEC(ZSTD(1)),
    automatic Bool CODEC(ZSTD(1)),
    positive Bool CODEC(ZSTD(1)),
    current_queue_id String CODEC(ZSTD(1)),
    batch UInt64 CODEC(ZSTD(1)),
    keep_days UInt16 CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY {month:accepted_at}
ORDER BY (workspace, relay, accepted_at, number, at)
TTL {expiry:accepted_at} + toIntervalDay(keep_days) DELETE WHERE keep_days < 65535
SETTINGS {durable}, index_granularity = 4096;

-- Columns that schemas 1 and 2 did not have.
ALTER TABLE events
    ADD COLUMN IF NOT EXISTS campaign LowCardinality(String) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS sequence LowCardinality(String) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS step UInt16 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS automatic Bool CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS positive Bool CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS current_queue_id String CODEC(ZSTD(1));

-- One row for each mail and recipient. Every column is a maximum or a sum, so neither the order in which events
-- arrive nor the way they fall into batches matters. `state` orders the events of a delivery: time since acceptance,
-- then how final. `via` and `outcome` carry it as a prefix of 16 hexadecimal digits, with a hash that tells equals
-- apart, so that the greatest of each belongs to the newest event. state = 0: accepted, not tried. `stretch` is the
-- time of acceptance in steps of 18.6 hours, far cheaper to count by than the time itself. `why` and `took` are what
-- most questions read of `outcome`, which is long: the family of reasons behind the same prefix, '' where there is none
-- (it is that of the newest event if the prefix begins with `state`); and the delay in the lower 64 bits, below `state`.
-- Weeks are partitions, and one that is left alone becomes one part: reading it with FINAL then costs nothing.
CREATE TABLE IF NOT EXISTS deliveries
(
    workspace UInt32,
    relay UInt32,
    accepted_at Int64 CODEC(Delta, ZSTD(1)),
    number UInt32 CODEC(ZSTD(1)),
    recipient String CODEC(ZSTD(1)),
    original_recipient SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    recipient_number SimpleAggregateFunction(max, UInt32) CODEC(ZSTD(1)),
    kind SimpleAggregateFunction(max, Enum8('mail' = 1, 'notification' = 2, 'probe' = 3)) CODEC(ZSTD(1)),
    sender SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    subject SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    message_id SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    header_from SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    reply_to SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    in_reply_to SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    origin SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    client_name SimpleAggregateFunction(max, LowCardinality(String)) CODEC(ZSTD(1)),
    login SimpleAggregateFunction(max, LowCardinality(String)) CODEC(ZSTD(1)),
    protocol SimpleAggregateFunction(max, LowCardinality(String)) CODEC(ZSTD(1)),
    interface SimpleAggregateFunction(max, LowCardinality(String)) CODEC(ZSTD(1)),
    size SimpleAggregateFunction(max, UInt64) CODEC(ZSTD(1)),
    queue_id SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    host SimpleAggregateFunction(max, LowCardinality(String)) CODEC(ZSTD(1)),
    stretch SimpleAggregateFunction(max, Int32) CODEC(Delta, ZSTD(1)),
    state SimpleAggregateFunction(max, UInt64) CODEC(ZSTD(1)),
    via SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    outcome SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    {why} CODEC(ZSTD(1)),
    {took} CODEC(ZSTD(1)),
    attempts SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    keep_days SimpleAggregateFunction(max, UInt16) CODEC(ZSTD(1)),
    INDEX by_recipient recipient TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_original original_recipient TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_sender sender TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_subject subject TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_header_from header_from TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_origin origin TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_mx substring(via, 17) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = AggregatingMergeTree
PARTITION BY {week:accepted_at}
ORDER BY (workspace, relay, accepted_at, number, recipient)
TTL {expiry:accepted_at} + toIntervalDay(keep_days) DELETE WHERE keep_days < 65535
SETTINGS {durable}, {settled}, index_granularity = 1024, min_compress_block_size = 8192, max_compress_block_size = 65536;

-- Columns that schemas 1 to 4 did not have. No view fills them: they are made of `outcome` as rows are inserted, or read.
ALTER TABLE deliveries
    ADD COLUMN IF NOT EXISTS {why} CODEC(ZSTD(1)) AFTER outcome,
    ADD COLUMN IF NOT EXISTS {took} CODEC(ZSTD(1)) AFTER why;

CREATE MATERIALIZED VIEW IF NOT EXISTS deliveries_feed TO deliveries AS
WITH
    transform(type, ['held', 'deferred', 'discarded', 'expired', 'bounced', 'delivered'], [1, 2, 3, 4, 5, 6], 0) AS rank,
    replaceAll(mx_host, '\x1f', ' ') AS mx,
    concat(family, '\x1f', if(hard, '1', ''), '\x1f', if(code = 0, '', toString(code)), '\x1f',
        replaceAll(enhanced_code, '\x1f', ' '), '\x1f', replaceAll(transport, '\x1f', ' '), '\x1f',
        replaceAll(mx_ip, '\x1f', ' '), '\x1f', if(delay = 0, '', toString(delay)), '\x1f',
        replaceAll(tls, '\x1f', ' '), '\x1f', reply) AS what,
    toUInt64(at - accepted_at + 17592186044416) * 4096 + rank * 256 + cityHash64(mx, what) % 256 AS newest,
    if(rank = 0, '', lpad(hex(newest), 16, '0')) AS prefix
SELECT
    workspace, relay, accepted_at, number, recipient, original_recipient, recipient_number, kind, sender, subject, message_id,
    header_from, reply_to, in_reply_to, origin, client_name, login, protocol, interface, size, queue_id, host,
    toInt32(bitShiftRight(accepted_at, 26)) AS stretch,
    if(rank = 0, 0, intDiv(newest, 256)) AS state,
    if(rank = 0, '', concat(prefix, mx)) AS via,
    if(rank = 0, '', concat(prefix, what)) AS outcome,
    toUInt64(type IN ('delivered', 'deferred', 'bounced')) AS attempts,
    keep_days
FROM events
WHERE recipient != '' AND type IN ('accepted', 'held', 'deferred', 'discarded', 'expired', 'bounced', 'delivered');

-- What recipients did with a mail, long after: apart, so that it never touches a week that is settled.
CREATE TABLE IF NOT EXISTS reactions
(
    workspace UInt32,
    relay UInt32,
    accepted_at Int64 CODEC(Delta, ZSTD(1)),
    number UInt32 CODEC(ZSTD(1)),
    recipient String CODEC(ZSTD(1)),
    complained_at SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
    opened_at SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
    clicked_at SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
    replied_at SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
    unsubscribed_at SimpleAggregateFunction(max, Int64) CODEC(ZSTD(1)),
    keep_days SimpleAggregateFunction(max, UInt16) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY {month:accepted_at}
ORDER BY (workspace, relay, accepted_at, number, recipient)
TTL {expiry:accepted_at} + toIntervalDay(keep_days) DELETE WHERE keep_days < 65535
SETTINGS {durable};

CREATE MATERIALIZED VIEW IF NOT EXISTS reactions_feed TO reactions AS
SELECT
    workspace, relay, accepted_at, number, recipient,
    if(type = 'complained', at, 0) AS complained_at,
    if(type = 'opened', at, 0) AS opened_at,
    if(type = 'clicked', at, 0) AS clicked_at,
    if(type = 'replied', at, 0) AS replied_at,
    if(type = 'unsubscribed', at, 0) AS unsubscribed_at,
    keep_days
FROM events
WHERE recipient != '' AND type IN ('complained', 'opened', 'clicked', 'replied', 'unsubscribed');

-- One row for each mail that was accepted: what statistics count.
CREATE TABLE IF NOT EXISTS mails
(
    workspace UInt32,
    relay UInt32,
    accepted_at Int64 CODEC(Delta, ZSTD(1)),
    number UInt32 CODEC(ZSTD(1)),
    kind SimpleAggregateFunction(max, Enum8('mail' = 1, 'notification' = 2, 'probe' = 3)) CODEC(ZSTD(1)),
    sender SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    origin SimpleAggregateFunction(max, String) CODEC(ZSTD(1)),
    keep_days SimpleAggregateFunction(max, UInt16) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY {week:accepted_at}
ORDER BY (workspace, relay, accepted_at, number)
TTL {expiry:accepted_at} + toIntervalDay(keep_days) DELETE WHERE keep_days < 65535
SETTINGS {durable}, {settled};

CREATE MATERIALIZED VIEW IF NOT EXISTS mails_feed TO mails AS
SELECT workspace, relay, accepted_at, number, kind, sender, origin, keep_days
FROM events
WHERE type = 'accepted';

-- One row for each mail: what became of it and what its recipients did, as bits of `done`, so that each mail counts once
-- of a kind, however often that happened. `mailbox` is who sent it: '2' and the address of From, or '1' and the envelope
-- sender where the From is not known, in lower case; the greater one holds. `tagged` is the time of the newest tag of its
-- replies, doubled, plus one when that tag is a positive one, and 2^62 when a person set it, so that a program's never holds
-- against it.
-- Bits: 1 accepted, 2 delivered, 4 bounced or expired, 8 opened by a person, 16 opened by anybody, 32 clicked by a
-- person, 64 clicked by anybody, 128 replied, 256 replied automatically, 512 unsubscribed, 1024 complained.
CREATE TABLE IF NOT EXISTS engagement
(
    workspace UInt32,
    relay UInt32,
    accepted_at Int64 CODEC(Delta, ZSTD(1)),
    number UInt32 CODEC(ZSTD(1)),
    mailbox SimpleAggregateFunction(max, LowCardinality(String)) CODEC(ZSTD(1)),
    campaign SimpleAggregateFunction(max, LowCardinality(String)) CODEC(ZSTD(1)),
    sequence SimpleAggregateFunction(max, LowCardinality(String)) CODEC(ZSTD(1)),
    step SimpleAggregateFunction(max, UInt16) CODEC(ZSTD(1)),
    done SimpleAggregateFunction(groupBitOr, UInt16) CODEC(ZSTD(1)),
    tagged SimpleAggregateFunction(max, UInt64) CODEC(ZSTD(1)),
    keep_days SimpleAggregateFunction(max, UInt16) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY {week:accepted_at}
ORDER BY (workspace, relay, accepted_at, number)
TTL {expiry:accepted_at} + toIntervalDay(keep_days) DELETE WHERE keep_days < 65535
SETTINGS {durable}, {settled};

CREATE MATERIALIZED VIEW IF NOT EXISTS engagement_feed TO engagement AS
SELECT
    workspace, relay, accepted_at, number,
    multiIf(header_from != '', concat('2', lower(header_from)), sender != '', concat('1', lower(sender)), '') AS mailbox,
    campaign, sequence, step,
    toUInt16(multiIf(
        type = 'accepted', if(kind = 'mail', 1, 0), type = 'delivered', 2, type IN ('bounced', 'expired'), 4,
        type = 'opened', if(automatic, 16, 24), type = 'clicked', if(automatic, 64, 96),
        type = 'replied', if(automatic, 256, 128), type = 'unsubscribed', 512, type = 'complained', 1024, 0)) AS done,
    if(type = 'tagged', toUInt64(at) * 2 + positive + if(automatic, 0, 4611686018427387904), 0) AS tagged,
    keep_days
FROM events
WHERE type IN ('accepted', 'delivered', 'bounced', 'expired', 'opened', 'clicked', 'replied', 'unsubscribed', 'complained',
    'tagged');

-- What `engagement` sums up to by sender, for each of its parts that is alone in its week: rows of 1 for a day, and rows
-- of 7 for the week, whose day is 0. Not a view, but filled when it is asked for. `content` is the hash of that part's files; rows of a part that is gone are never read. Mails that
-- were not accepted count in no column. `tags`: mails with a tag, replied or not.
CREATE TABLE IF NOT EXISTS engagement_days
(
    content String,
    days UInt8,
    workspace UInt32,
    relay UInt32,
    mailbox LowCardinality(String) CODEC(ZSTD(1)),
    day Int64 CODEC(Delta, ZSTD(1)),
    sent UInt32 CODEC(ZSTD(1)),
    delivered UInt32 CODEC(ZSTD(1)),
    bounced UInt32 CODEC(ZSTD(1)),
    opened UInt32 CODEC(ZSTD(1)),
    opened_raw UInt32 CODEC(ZSTD(1)),
    clicked UInt32 CODEC(ZSTD(1)),
    clicked_raw UInt32 CODEC(ZSTD(1)),
    replied UInt32 CODEC(ZSTD(1)),
    auto_replied UInt32 CODEC(ZSTD(1)),
    unsubscribed UInt32 CODEC(ZSTD(1)),
    complained UInt32 CODEC(ZSTD(1)),
    tagged UInt32 CODEC(ZSTD(1)),
    positive UInt32 CODEC(ZSTD(1)),
    tags UInt32 CODEC(ZSTD(1)),
    first_at Int64 CODEC(Delta, ZSTD(1)),
    last_at Int64 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY content
ORDER BY (days, workspace, relay, mailbox, day)
SETTINGS {durable};

-- How many mails an address got on a day of their acceptance, its domain first: what a workspace has in a domain lies
-- together. Addresses are in lower case.
CREATE TABLE IF NOT EXISTS received
(
    workspace UInt32,
    domain String CODEC(ZSTD(1)),
    address String CODEC(ZSTD(1)),
    relay UInt32,
    day Int64 CODEC(Delta, ZSTD(1)),
    received SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    keep_days SimpleAggregateFunction(max, UInt16) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY {month:day}
ORDER BY (workspace, domain, address, relay, day)
TTL {expiry:day} + toIntervalDay(keep_days) DELETE WHERE keep_days < 65535
SETTINGS {durable}, index_granularity = 1024;

CREATE MATERIALIZED VIEW IF NOT EXISTS received_feed TO received AS
SELECT
    workspace, lower(substringIndex(recipient, '@', -1)) AS domain, lower(recipient) AS address, relay,
    accepted_at - positiveModulo(accepted_at, 86400000) AS day, toUInt64(1) AS received, keep_days
FROM events
WHERE type = 'delivered' AND kind = 'mail' AND recipient != '';

-- The mails that wait in the queue untried: those whose sum is above zero. Rows that sum to zero vanish in merges.
CREATE TABLE IF NOT EXISTS waiting
(
    workspace UInt32,
    relay UInt32,
    accepted_at Int64 CODEC(Delta, ZSTD(1)),
    number UInt32 CODEC(ZSTD(1)),
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
    delivered SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    deferred SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    bounced SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    rejected SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    keep_days SimpleAggregateFunction(max, UInt16) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY {month:hour}
ORDER BY (workspace, relay, hour)
TTL {expiry:hour} + toIntervalDay(keep_days) DELETE WHERE keep_days < 65535
SETTINGS {durable};

CREATE MATERIALIZED VIEW IF NOT EXISTS hourly_feed TO hourly AS
SELECT
    workspace, relay, at - positiveModulo(at, 3600000) AS hour,
    toUInt64(type = 'delivered') AS delivered,
    toUInt64(type = 'deferred') AS deferred,
    toUInt64(type IN ('bounced', 'expired')) AS bounced,
    toUInt64(type = 'rejected') AS rejected,
    keep_days
FROM events
WHERE kind = 'mail' AND type IN ('delivered', 'deferred', 'bounced', 'expired', 'rejected');

-- Every queue id that a mail can be asked for by: those that it had here, one after the other, and those that the
-- servers which took it said they gave it. The forms of reply are those of Postfix, Exim, Sendmail and Gmail.
CREATE TABLE IF NOT EXISTS queue_ids
(
    workspace UInt32,
    name String CODEC(ZSTD(1)),
    relay UInt32,
    accepted_at Int64 CODEC(ZSTD(1)),
    number UInt32 CODEC(ZSTD(1)),
    keep_days SimpleAggregateFunction(max, UInt16) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY {month:accepted_at}
ORDER BY (workspace, name, relay, accepted_at, number)
TTL {expiry:accepted_at} + toIntervalDay(keep_days) DELETE WHERE keep_days < 65535
SETTINGS {durable}, index_granularity = 1024;

CREATE MATERIALIZED VIEW IF NOT EXISTS queue_ids_feed TO queue_ids AS
SELECT
    workspace,
    arrayJoin(arrayDistinct(arrayFilter(one -> one != '', arrayConcat(
        [queue_id, current_queue_id],
        if(type NOT IN ('delivered', 'reinjected'), [], arrayConcat(
            extractAll(reply, '(?:[Qq]ueued as|forwarded as|OK,? id=) ?([0-9A-Za-z](?:[0-9A-Za-z._-]*[0-9A-Za-z])?)'),
            extractAll(reply, '2\\.0\\.0 ([0-9A-Za-z]+) Message accepted for delivery'),
            extractAll(reply, 'OK +[0-9]+ ([0-9A-Za-z.-]+) - gsmtp')))
    )))) AS name,
    relay, accepted_at, number, keep_days
FROM events
WHERE (queue_id != '' OR current_queue_id != '' OR type IN ('delivered', 'reinjected'));

-- The mails of each Message-ID, by a hash of it: replies name the mails that they answer. Two ids may have one hash, so
-- whoever finds a mail here compares its Message-ID.
CREATE TABLE IF NOT EXISTS message_ids
(
    workspace UInt32,
    name UInt64 CODEC(ZSTD(1)),
    relay UInt32 CODEC(ZSTD(1)),
    accepted_at Int64 CODEC(ZSTD(1)),
    number UInt32 CODEC(ZSTD(1)),
    keep_days SimpleAggregateFunction(max, UInt16) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY {month:accepted_at}
ORDER BY (workspace, name, relay, accepted_at, number)
TTL {expiry:accepted_at} + toIntervalDay(keep_days) DELETE WHERE keep_days < 65535
SETTINGS {durable}, index_granularity = 1024;

CREATE MATERIALIZED VIEW IF NOT EXISTS message_ids_feed TO message_ids AS
SELECT DISTINCT workspace, cityHash64(message_id) AS name, relay, accepted_at, number, keep_days
FROM events
WHERE message_id != '' AND type IN ('accepted', 'held', 'deferred', 'discarded', 'expired', 'bounced', 'delivered');

-- Batches that came with a backup, which brings rows but not the marks by which a table recognises a batch.
CREATE TABLE IF NOT EXISTS restored (batch UInt64) ENGINE = ReplacingMergeTree ORDER BY batch;

-- Whose mail this is: a workspace's id, and when the ledger made it, which tells it from one of another ledger that has
-- the same id. The row of the greatest version holds. Former: its mail was given to another; dropped: it was deleted.
CREATE TABLE IF NOT EXISTS workspaces
(
    workspace UInt32,
    created_at Int64,
    name String,
    state Enum8('owner' = 1, 'former' = 2, 'dropped' = 3),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (workspace, created_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
