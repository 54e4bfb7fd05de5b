-- Mails of one workspace from 5,000 mailboxes. Of a hundred, three bounce, forty are opened by people, twelve by machines
-- alone, eight clicked, five answered (two of these wanted), two answered by machines.
INSERT INTO events (workspace, relay, accepted_at, number, type, at, kind, recipient, recipient_number, sender, header_from,
    message_id, queue_id, host, campaign, step, automatic, positive, transport, code, keep_days)
WITH
    number AS i,
    cityHash64(i) AS h, cityHash64(i, 1) AS h1, cityHash64(i, 2) AS h2,
    {start:Int64} + intDiv(i * {span:Int64}, {mails:Int64}) AS t,
    'person' || toString(h1 % {mailboxes:UInt64}) || '@outreach' || toString(h1 % {mailboxes:UInt64} % 40) || '.example' AS s,
    h2 % 1000 AS luck,
    arrayJoin(arrayConcat(
        [('accepted', 0, false, false)],
        if(luck < 30, [('bounced', 1500, false, false)], [('delivered', 1500, false, false)]),
        if(luck BETWEEN 100 AND 499, [('opened', 3600000 + h % 86400000, false, false)], []),
        if(luck BETWEEN 100 AND 219, [('opened', 7200000 + h % 96400000, false, false)], []),
        if(luck BETWEEN 500 AND 619, [('opened', 2000, true, false)], []),
        if(luck BETWEEN 100 AND 179, [('clicked', 3700000 + h % 86400000, false, false)], []),
        if(luck BETWEEN 180 AND 229, [('replied', 9600000 + h % 172800000, false, false)], []),
        if(luck BETWEEN 180 AND 199, [('tagged', 9700000 + h % 172800000, false, true)], []),
        if(luck BETWEEN 620 AND 639, [('replied', 60000, true, false)], [])
    )) AS e
SELECT
    1, 1, t, bitAnd(h, 268435455), e.1, t + e.2, 'mail', 'client' || toString(h % 4000000) || '@domain' ||
    toString(h % 50000) || '.example', 1, if(e.1 = 'accepted', s, ''), if(e.1 = 'accepted', s, ''),
    if(e.1 = 'accepted', '<' || lower(hex(h)) || '@outreach.example>', ''), substring(base58Encode(reinterpretAsString(h2)), 1, 11),
    'mx1', if(e.1 = 'accepted', 'campaign ' || toString(h1 % 300), ''), if(e.1 = 'accepted', h2 % 4, 0), e.3, e.4,
    if(e.1 IN ('delivered', 'bounced'), 'smtp', ''), multiIf(e.1 = 'delivered', 250, e.1 = 'bounced', 550, 0), 65535
FROM numbers({first:UInt64}, {count:UInt64})
SETTINGS max_partitions_per_insert_block = 0, optimize_on_insert = 1, max_insert_block_size = 4000000,
    min_insert_block_size_rows = 4000000, min_insert_block_size_bytes = 4000000000
