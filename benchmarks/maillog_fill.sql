-- Of four mails one has two recipients. Of a hundred deliveries four are deferred first, three bounce, one stays deferred.
INSERT INTO events (workspace, relay, accepted_at, number, type, at, kind, waiting, recipient, recipient_number, sender,
    subject, message_id, header_from, reply_to, origin, client_name, login, protocol, interface, size, recipients, queue_id,
    host, transport, mx_host, mx_ip, code, enhanced_code, reply, delay, tls, family, hard, source, line, keep_days)
WITH
    number AS i,
    cityHash64(i) AS h, cityHash64(i, 1) AS h1, cityHash64(i, 2) AS h2,
    if(h % 100 < 24, 1, 2 + h1 % 19) AS ws,
    {start:Int64} + intDiv(i * {span:Int64}, {mails:Int64}) AS t,
    'user' || toString(toUInt32(pow(h1 % 1000003 / 1000003, 3) * 3000)) || '@sender' || toString(ws * 7 + h2 % 6) || '.example' AS s,
    arrayJoin(arrayConcat(
        [('accepted', 0, 0, 1)],
        arrayFlatten(arrayMap(r -> (cityHash64(i, r, 9) % 100 AS luck, if(luck >= 97, 0, 1) AS w,
            arrayConcat(
                if(luck < 5, [('deferred', 5000, r, if(r = 1, -1, 0))], []),
                if(luck != 4, [(if(luck >= 97, 'bounced', 'delivered'), if(luck < 4, 900000, 800) + h2 % 4000, r,
                    if(r = 1 AND luck >= 5, -1, 0))], []))).3, range(1, 2 + toUInt8(i % 4 = 0)))))) AS e,
    e.1 AS kind_of_event, e.3 AS r, cityHash64(i, r, 5) AS hr,
    toUInt32(pow(hr % 1000003 / 1000003, 2) * 300000) AS person,
    'domain' || toString(person % 5000) || '.example' AS rd
SELECT
    ws, ws * 10 + h2 % 10 % 2, t, bitAnd(h, 268435455), kind_of_event, t + e.2, 'mail', e.4,
    if(r = 0, '', 'person' || toString(person) || '.' || toString(ws) || '@' || rd), r, s,
    'Your order ' || toString(h % 100000) || ' of ' || toString(h1 % 40) || ' things is on its way',
    '<' || lower(hex(h)) || '.' || lower(hex(h1)) || '@mail' || toString(ws) || '.example>',
    s, if(h % 3 = 0, 'reply@sender' || toString(ws) || '.example', ''),
    '10.' || toString(ws) || '.' || toString(h2 % 16) || '.' || toString(h1 % 200), '', 'login' || toString(h2 % 50), 'ESMTPSA',
    'submission', 2000 + h1 % 60000, 1, substring(base58Encode(reinterpretAsString(h2)), 1, 11), 'mx' || toString(ws % 4),
    if(r = 0, '', 'smtp'), if(r = 0, '', 'mx' || toString(person % 3) || '.' || rd),
    if(r = 0, '', '192.0.' || toString(person % 5000 % 200) || '.' || toString(person % 3)),
    multiIf(r = 0, 0, kind_of_event = 'delivered', 250, kind_of_event = 'bounced', 550, 451),
    multiIf(r = 0, '', kind_of_event = 'delivered', '2.0.0', kind_of_event = 'bounced', '5.1.1', '4.7.1'),
    multiIf(r = 0, '', kind_of_event = 'delivered', '250 2.0.0 OK queued as ' || lower(hex(toUInt32(hr))),
        kind_of_event = 'bounced', '550 5.1.1 no such user here', '451 4.7.1 try again in 300 seconds'),
    e.2, if(r = 0, '', 'TLSv1.3'),
    multiIf(kind_of_event = 'bounced', 'unknown_user', kind_of_event = 'deferred', 'rate_limit', ''),
    kind_of_event = 'bounced', '/var/log/mail.log', i, 65535
FROM numbers({first:UInt64}, {count:UInt64})
SETTINGS max_partitions_per_insert_block = 0
