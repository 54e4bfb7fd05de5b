-- What is asked of one block. Each statement begins with `-- name: …`; words in braces are filled in by `block`.
-- Regular expressions are anchored, unambiguous and of at most four groups: RE2 then walks the text once.

-- name: cut
CREATE TEMPORARY TABLE cut ENGINE = Memory AS
SELECT
    n, line, toLowCardinality(hour) AS hour, past, toLowCardinality(substring(line, h, b - h)) AS prefix,
    substring(line, b + 1, e - b - 1) AS pid, e, c, timed,
    timed AND b > h AND e > b AND e - b < 12 AND NOT match(pid, '[^0-9]') AND length(line) < 8192
        AND substring(line, e + 3, 4) != '[ID ' AND {printable} AS canonical
FROM (
    SELECT
        n, line, {hour} AS hour, {past} AS past, {timed} AS timed, {head} AS h,
        position(line, '[', h) AS b, position(line, ']: ', b) AS e, position(line, ': ', e + 3) AS c
    FROM (SELECT {first} + rowNumberInAllBlocks() AS n, line FROM file('/proc/self/fd/{descriptor}', 'LineAsString', 'line String'))
)

-- name: hours
SELECT toString(hour), min(n) AS first FROM cut WHERE timed GROUP BY hour ORDER BY first

-- name: prefixes
SELECT toString(prefix), min(n) AS first FROM cut WHERE canonical GROUP BY prefix ORDER BY first

-- name: untimed
SELECT n, substring(line, 1, 32768) FROM cut WHERE NOT timed ORDER BY n LIMIT {most}

-- Kinds of lines: 0 begun, 1 a header, 2 named, 3 active, 4 an outcome, 5 the end; 7 of a connection, 8 of no effect, 9 any other.
-- name: lines
CREATE TEMPORARY TABLE l ENGINE = Memory AS
SELECT
    n, if(kind = 8, '', line) AS line, at, host, instance, service, daemon, role, pid, if(kind IN (7, 9), whole, '') AS text, q,
    if(kind < 7, behind, '') AS rest,
    multiIf(
        role = 'cleanup', multiIf(q = '', 9, startsWith(behind, 'info: header '), 1, startsWith(behind, 'message-id='), 2, 9),
        role = 'agent' AND startsWith(behind, 'to=<') AND q != '', 4,
        role = 'smtpd' AND startsWith(behind, 'client=') AND q != '', 0,
        role = 'qmgr', multiIf(q = '', 9, behind = 'removed', 5, startsWith(behind, 'from=<') AND endsWith(behind, ' (queue active)'), 3, 9),
        role = 'foreign', 8,
        role NOT IN ('smtpd', 'agent', 'other') OR startsWith(behind, 'client=') OR startsWith(behind, 'to='), 9,
        role = 'smtpd' AND behind = '' AND (startsWith(whole, 'connect from ') OR startsWith(whole, 'disconnect from ')), 7,
        position(whole, ' TLS connection ') > 0, if(match(whole, {encrypted}), 7, 9),
        match(whole, {harmless}) AND position(whole, 'proxy-') = 0, 8,
        9)::UInt8 AS kind,
    if(q = '' OR kind IN (7, 8), 0, sipHash64(toString(host), q)) AS k
FROM (
    SELECT
        n, line, if(timed, transform(hour, {hours}, {times}, toInt64(-1)) + past, -1)::Int64 AS at,
        transform(prefix, {prefixes}, {hosts}, '') AS host, transform(prefix, {prefixes}, {instances}, '') AS instance,
        transform(prefix, {prefixes}, {services}, '') AS service, transform(prefix, {prefixes}, {daemons}, '') AS daemon,
        if(canonical, transform(prefix, {prefixes}, {roles}, 'foreign'), 'stray') AS role,
        pid, if(canonical, substring(line, e + 3), line) AS whole,
        if(c = 0 OR role IN ('foreign', 'stray'), '', substring(line, e + 3, c - e - 3)) AS token,
        if(position(token, ' ') = 0, token, '') AS q, if(c = 0, '', substring(line, c + 2)) AS behind
    FROM cut
)

-- What keeps the whole block from this path: lines of a before-queue filter, and connections told of in odd ways.
-- name: barred
SELECT
    countIf(role = 'smtpd' AND (startsWith(text, 'NOQUEUE: client=') OR position(text, 'proxy-') > 0)) AS proxied,
    countIf((role = 'stray' OR startsWith(text, 'message repeated '))
        AND multiSearchAny(line, ['connect from ', ' TLS connection ', 'NOQUEUE', 'queue active'])) AS odd,
    max(at) AS latest, minIf(at, at >= 0) AS earliest, argMaxIf(line, n, at >= 0) AS last
FROM l

-- The latest time until each line, less the line's own: how far lines stand out of order.
-- name: disorder
SELECT max(until - at) FROM (SELECT at, max(at) OVER (ORDER BY n ROWS UNBOUNDED PRECEDING) AS until FROM l WHERE at >= 0)

-- Queue ids that lines name which are not their own, of those that have lines here. Odd: by lines that are read otherwise.
-- name: near
CREATE TEMPORARY TABLE near ENGINE = Memory AS
SELECT name, max(strange) AS odd FROM (
    SELECT arrayJoin(extractAll(substring(rest, position(rest, 'ed as ') - 6), '(?:queued|forwarded) as ([0-9A-Za-z]{6,})')) AS name, false AS strange
    FROM l WHERE kind = 4 AND position(rest, 'ed as ') > 0
    UNION ALL
    SELECT arrayJoin(extractAll(line, '[0-9A-Za-z]{6,}')), role = 'stray' OR startsWith(text, 'message repeated ') FROM l
    WHERE role = 'stray' OR (kind = 9 AND role != 'foreign'
        AND multiSearchAny(text, ['ed as ', 'notification: ', 'orig_', 'message rejected', 'message repeated ']))
) WHERE name IN (SELECT q FROM l) GROUP BY name

-- Message-IDs, as often as cleanup names them.
-- name: names
CREATE TEMPORARY TABLE names ENGINE = Memory AS
SELECT k, n, substring(rest, 12) AS message_id FROM l WHERE kind = 2
UNION ALL
SELECT 0, n, trimRight(substring(line, position(line, 'message-id=') + 11), ']') FROM l
WHERE kind = 9 AND role != 'foreign' AND position(line, 'message-id=') > 0

-- What each process said of its connection: 1 the peer of a delivery, 2 that of a client, 3 the end of one.
-- name: talk
CREATE TEMPORARY TABLE talk ENGINE = Memory AS
WITH extractGroups(text, {encrypted}) AS tls
SELECT
    concat(toString(host), '/', pid) AS p, n, at, multiIf(tls = [], 3, role = 'smtpd', 2, 1) AS what,
    if(what = 3, '', tls[1]) AS peer, if(what = 3, '', tls[2]) AS version
FROM l WHERE kind = 7

-- Processes of which more has to be known than this path knows.
-- name: odd_processes
CREATE TEMPORARY TABLE odd_processes ENGINE = Memory AS
SELECT name AS p FROM in_flight WHERE what = 'process'
UNION ALL
SELECT p FROM talk GROUP BY p HAVING min(what) = 1 AND max(what) > 1
UNION ALL
SELECT DISTINCT concat(toString(host), '/', pid) FROM l
WHERE role = 'smtpd' AND startsWith(text, 'NOQUEUE: ') AND NOT startsWith(text, 'NOQUEUE: reject: ')
UNION ALL
SELECT DISTINCT concat(toString(host), '/', pid) FROM l WHERE startsWith(text, 'message repeated ')

-- name: mails
CREATE TEMPORARY TABLE mails ENGINE = Memory AS
SELECT k, any(q) AS queue_id
FROM l WHERE k != 0
GROUP BY k
HAVING count() < 60 AND max(kind) = 5
    AND countIf(kind = 0) = 1 AND countIf(kind = 2) = 1 AND countIf(kind = 3) = 1 AND countIf(kind = 4) > 0 AND countIf(kind = 5) = 1
    AND min(at) >= 0 AND maxIf(n, kind = 0) < minIf(n, kind IN (1, 2)) AND maxIf(n, kind IN (1, 2)) < maxIf(n, kind = 3)
    AND maxIf(n, kind = 3) < minIf(n, kind = 4) AND maxIf(n, kind = 4) < maxIf(n, kind = 5)
    AND max(at) - min(at) <= 18000000 AND maxIf(at, kind = 5) <= {latest} - 60000 AND max(at) <= {latest}
    AND min(instance) = max(instance) AND queue_id NOT IN (SELECT name FROM near) AND sum(length(line)) < 60000
    AND match(queue_id, {queue_id})

-- name: headers
CREATE TEMPORARY TABLE headers ENGINE = Memory AS
SELECT
    k, n, name, value, protocol, fine, meaning,
    multiIf(
        length(value) > 900, name, name = 'subject', if(position(value, '?') > 0 OR value != trimBoth(value), name, ''),
        name IN ('from', 'reply-to'), if(address = '', name, ''),
        name IN ('in-reply-to', 'references'), if(match(value, '[?\\s]'), name, ''), '') AS odd
FROM (
    SELECT
        k, n, lower(substring(x, 1, colon - 1)) AS name, substring(x, colon + 2, tail - back - 6 - colon - 1) AS value, envelope[1] AS protocol,
        envelope != [] AND colon > 0 AND tail - back - 6 >= colon AND endsWith(head, ']') AND substring(head, length(head) - back - 4, 5) = ' from'
            AND position(substring(head, length(head) - back + 1), '"') = 0 AND name NOT IN {marks} AS fine,
        if(name IN ('from', 'reply-to'), arrayFirst(each -> each != '', extractGroups(value, {address})), '') AS address,
        if(address = '', value, {canonical:address}) AS meaning
    FROM (
        SELECT
            k, n, substring(rest, 14) AS x, position(x, ': ') AS colon, position(x, '; from=<') AS tail, substring(x, 1, tail - 1) AS head,
            position(reverse(head), ' ') AS back,
            extractGroups(substring(x, tail), '^; from=<[^<>"]*> to=<[^<>"]*> proto=(\\w+) helo=<[^<>"]*>$') AS envelope
        FROM l WHERE kind = 1 AND k IN (SELECT k FROM mails)
    )
)

-- name: attempts
CREATE TEMPORARY TABLE attempts ENGINE = Memory AS
SELECT
    k, n, at, concat(toString(host), '/', pid) AS p, toString(daemon) AS transport, line, status, dsn, tls, reply,
    {canonical:sent_to} AS recipient, {canonical:sent_for} AS original, mx_host, mx_ip,
    toInt64(floor(toFloat64OrZero(delay) * 1000 + 0.5)) AS delay,
    toUInt16OrZero(substring(extract(reply, '^[2-5]\\d\\d(?:[ -]|$)'), 1, 3)) AS code,
    whom != [] AND how != [] AND via != [] AND quoted_fine AND position(sent_to, ' ') = 0 AND position(sent_for, ' ') = 0
        AND NOT startsWith(said, 'SASL ') AND NOT (endsWith(said, ' command') AND position(said, ' (in reply to ') > 0) AS fine
FROM (
    SELECT
        k, n, at, host, pid, daemon, line, said, whom, how, via, whom[1] AS sent_to, whom[2] AS sent_for,
        how[1] AS delay, how[2] AS tls, how[3] AS dsn, how[4] AS status,
        if(startsWith(said, 'host ') OR startsWith(said, 'delivery '), extractGroups(said, {said}), []) AS quoted,
        quoted != [] OR NOT (startsWith(said, 'host ') OR startsWith(said, 'delivery ')) OR (position(said, ' said: ') = 0
            AND position(said, ' refused to talk to me: ') = 0) AS quoted_fine,
        if(via[2] = '' AND quoted != [], quoted[1], if(via[1] = 'none' AND via[2] = '', '', via[1])) AS mx_host,
        if(via[2] = '' AND quoted != [], quoted[2], via[2]) AS mx_ip,
        if(quoted != [], quoted[3], said) AS reply
    FROM (
        SELECT
            k, n, at, host, pid, daemon, line, extractGroups(rest, {whom}) AS whom,
            extractGroups(whom[3], '^([^\\[\\]:]*)(?:\\[([^\\[\\]]*)\\](?::\\d+)?)?$') AS via,
            position(rest, ' delay=') AS d, position(rest, ' (', d) AS o, extractGroups(substring(rest, d + 7), {how}) AS how,
            substring(rest, o + 2, length(rest) - o - 2) AS said
        FROM l WHERE kind = 4 AND k IN (SELECT k FROM mails) AND endsWith(rest, ')')
    )
)

-- What was begun: one row a mail.
-- name: begun
CREATE TEMPORARY TABLE begun ENGINE = Memory AS
WITH
    extractGroups(born.rest, {client}) AS c, extractGroups(act.rest, {active}) AS a, born.q AS q,
    length(q) - position(reverse(q), 'z') + 1 AS z,
    multiIf(
        z > 10 AND z < length(q), {base_52},
        match(q, '^[0-9A-Fa-f]{5}'), toInt64(reinterpretAsUInt32(reverse(unhex(concat('000', substring(q, 1, 5)))))), 10000000) AS micros
SELECT
    k, q, toString(born.host) AS host, toString(born.instance) AS instance, toString(born.service) AS interface, born.n AS first_line,
    if(micros < 1000000 AND born.at % 1000 = 0, born.at + intDiv(micros, 1000), born.at) AS accepted_at,
    concat(host, '/', born.pid) AS p, born.at AS begun_at, if(c[1] = 'unknown', '', c[1]) AS client_name, c[2] AS origin, concat(c[3], c[4]) AS login,
    {canonical:a[1]} AS sender, toUInt64OrZero(a[2]) AS size, toUInt32OrZero(a[3]) AS recipients, substring(mid.rest, 12) AS message_id, mid.n AS named,
    length(c) = 4 AND length(a) = 3 AND match(message_id, '^<[^<>]+>$') AS fine
FROM (SELECT k, n, at, q, host, instance, service, pid, rest FROM l WHERE kind = 0 AND k IN (SELECT k FROM mails)) AS born
ANY INNER JOIN (SELECT k, rest FROM l WHERE kind = 3 AND k IN (SELECT k FROM mails)) AS act USING k
ANY INNER JOIN (SELECT k, n, rest FROM l WHERE kind = 2 AND k IN (SELECT k FROM mails)) AS mid USING k

-- name: evidence
CREATE TEMPORARY TABLE evidence ENGINE = Memory AS
SELECT
    k, max(n) AS last, argMax(at, n) AS active_at,
    arrayStringConcat(arrayMap(each -> each.2, arraySort(groupArray((n, concat(toString(n), '\t', line))))), '\n') AS raw
FROM (SELECT k, n, at, line FROM l WHERE kind < 4 AND k IN (SELECT k FROM mails)) GROUP BY k

-- name: unknown_headers
SELECT DISTINCT odd, value FROM headers WHERE odd != '' AND fine

-- name: failures
SELECT DISTINCT reply, code, dsn FROM attempts WHERE status != 'sent' AND fine

-- Who took a mail and is of this machine or its networks may be a content filter.
-- name: taken_nearby
SELECT DISTINCT reply, mx_host, mx_ip, transport FROM attempts WHERE status = 'sent' AND fine AND match(mx_ip, {near_address})

-- Mails that are not plain after all.
-- name: doubt
CREATE TEMPORARY TABLE doubt ENGINE = Memory AS
SELECT k FROM headers WHERE NOT fine
UNION ALL SELECT k FROM attempts WHERE NOT fine
UNION ALL SELECT k FROM l WHERE kind = 4 AND k IN (SELECT k FROM mails) AND NOT endsWith(rest, ')')
UNION ALL SELECT k FROM mails WHERE k NOT IN (SELECT k FROM begun WHERE fine) OR queue_id IN (SELECT name FROM in_flight WHERE what = 'queue id')
UNION ALL SELECT k FROM attempts GROUP BY k, recipient HAVING count() > 1
UNION ALL SELECT k FROM attempts WHERE (reply, mx_host, mx_ip, transport) IN (SELECT reply, mx_host, mx_ip, transport FROM filters)
UNION ALL SELECT k FROM attempts WHERE position(reply, 'ed as ') > 0
    AND hasAny(extractAll(reply, '(?:queued|forwarded) as ([0-9A-Za-z]{6,})'), (SELECT groupArray(name) FROM (SELECT name FROM near UNION ALL SELECT name FROM in_flight WHERE what = 'queue id')))
UNION ALL SELECT k FROM begun WHERE message_id IN (SELECT message_id FROM names GROUP BY message_id HAVING count() > 1) OR message_id IN (SELECT name FROM in_flight WHERE what = 'message id')
UNION ALL SELECT k FROM begun WHERE p IN (SELECT p FROM odd_processes)
UNION ALL SELECT k FROM attempts WHERE p IN (SELECT p FROM odd_processes)
UNION ALL SELECT begun.k FROM begun ASOF INNER JOIN nameless ON begun.host = nameless.host AND begun.named >= nameless.first WHERE begun.named <= nameless.last
UNION ALL SELECT begun.k FROM begun ASOF INNER JOIN talk ON begun.p = talk.p AND begun.first_line > talk.n WHERE talk.version != '' AND talk.at < begun.begun_at - {idle}
UNION ALL SELECT attempts.k FROM attempts ASOF INNER JOIN talk ON attempts.p = talk.p AND attempts.n > talk.n WHERE talk.version != '' AND talk.at < attempts.at - {idle}

-- What other mails went through, by which one of them may be in progress while its Message-ID is not known: 0 begun,
-- 2 named, 3 active with so many recipients, 4 an outcome, 5 the end, 9 anything else. `odd`: other lines name it, too.
-- name: courses
SELECT
    concat(toString(host), '/', toString(instance), '/', q), toString(host), n, at, kind,
    multiIf(kind = 2, toUInt32(rest != 'message-id=<>'), kind = 3, toUInt32OrZero(extract(rest, 'nrcpt=(\\d+) ')), toUInt32(daemon != 'local')),
    q IN (SELECT name FROM near WHERE odd)
FROM l
WHERE kind != 1 AND k IN (SELECT k FROM l WHERE k NOT IN (SELECT k FROM mails) AND kind = 3)
ORDER BY n

-- What is left for the state machine, but for the lines of connections.
-- name: rest
CREATE TEMPORARY TABLE rest ENGINE = Memory AS
SELECT n, at, if(role IN ('smtpd', 'agent', 'other') AND kind IN (0, 4, 9), concat(toString(host), '/', pid), '') AS p
FROM l WHERE kind NOT IN (7, 8) AND (k NOT IN (SELECT k FROM mails) OR k IN (SELECT k FROM doubt))

-- Of these, what was said last to those that are left, and in the block.
-- name: said_last
CREATE TEMPORARY TABLE said_last ENGINE = Memory AS
WITH
    needs AS (SELECT p, n FROM rest WHERE p != '' UNION ALL SELECT DISTINCT p, toUInt64(9000000000000000000) FROM talk WHERE n > 0),
    ends AS (SELECT needs.p AS p, needs.n AS n, talk.n AS last FROM needs ASOF LEFT JOIN (SELECT p, n FROM talk WHERE what = 3) AS talk ON needs.p = talk.p AND needs.n > talk.n)
SELECT DISTINCT arrayJoin([last, if(one > last, one, 0), if(two > last, two, 0)]) AS n
FROM (
    SELECT ends.last AS last, ends.p AS p, ends.n AS n, talk.n AS one
    FROM ends ASOF LEFT JOIN (SELECT p, n FROM talk WHERE what = 1) AS talk ON ends.p = talk.p AND ends.n > talk.n
) AS ones
ASOF LEFT JOIN (SELECT p, n AS two FROM talk WHERE what = 2) AS twos ON ones.p = twos.p AND ones.n > twos.two

-- name: left
SELECT n, at FROM (SELECT n, at FROM rest UNION ALL SELECT n, at FROM l WHERE kind = 7 AND n IN (SELECT n FROM said_last)) ORDER BY n

-- Likewise, with the latest time of all lines until then.
-- name: left_out_of_order
SELECT n, until
FROM (SELECT n, kind, max(at) OVER (ORDER BY n ROWS UNBOUNDED PRECEDING) AS until FROM l)
WHERE n IN (SELECT n FROM rest UNION ALL SELECT n FROM said_last WHERE n > 0) ORDER BY n

-- How many events of each type there are.
-- name: counts
SELECT type, count() FROM told GROUP BY type

-- Those that somebody else hears of: answers to mails, and bounces that count against a domain.
-- name: noted
SELECT * FROM told
WHERE (type IN ('accepted', 'delivered') AND (in_reply_to != '' OR references != '')) OR (type = 'bounced' AND hard)

-- name: extent
SELECT count(), min(accepted_at), max(accepted_at) FROM told

-- name: events
CREATE TEMPORARY TABLE told ENGINE = Memory AS
SELECT
    toUInt32({relay}) AS relay, accepted_at, toUInt32(bitShiftRight(reinterpretAsUInt32(reverse(substring(MD5(concat(host, '\0', instance, '\0', q)), 1, 4))), 4)) AS number,
    toLowCardinality(type) AS type, greatest(x.at, accepted_at) AS at, toLowCardinality('mail') AS kind, toInt8(x.waiting) AS waiting, recipient, original AS original_recipient,
    toUInt32(x.place) AS recipient_number, sender, s.subject AS subject, message_id, s.header_from AS header_from, s.reply_to AS reply_to,
    s.in_reply_to AS in_reply_to, s.references AS references, origin, toLowCardinality(client_name) AS client_name, toLowCardinality(login) AS login,
    toLowCardinality(multiIf(
        s.protocol IN ('SMTP', 'LOCAL'), s.protocol, secured OR login != '' OR s.protocol != '',
        concat(if(s.protocol = '', 'ESMTP', s.protocol), if(secured, 'S', ''), if(login != '', 'A', '')), '')) AS protocol,
    toLowCardinality(interface) AS interface, size, recipients, q AS queue_id, toLowCardinality(host) AS host, toLowCardinality(x.transport) AS transport,
    toLowCardinality(x.mx_host) AS mx_host, toLowCardinality(x.mx_ip) AS mx_ip, x.code AS code, toLowCardinality(x.dsn) AS enhanced_code, x.reply AS reply,
    x.delay AS delay, toLowCardinality(x.tls) AS tls, toLowCardinality(x.family) AS family, x.hard AS hard, toLowCardinality({source}) AS source, toUInt64(x.line) AS line, x.raw AS raw,
    toLowCardinality('') AS campaign, toLowCardinality('') AS sequence, toUInt16(0) AS step, false AS automatic, false AS positive, '' AS current_queue_id
FROM (
    SELECT begun.*, interface IN ('smtps', 'submissions', '465') OR talk.version != '' AS secured
    FROM begun ASOF LEFT JOIN talk ON begun.p = talk.p AND begun.first_line > talk.n
    WHERE k NOT IN (SELECT k FROM doubt)
) AS b
ANY INNER JOIN (
    SELECT
        k, argMinIf(v, n, name = 'subject' AND v != '') AS subject, argMinIf(v, n, name = 'from' AND v != '') AS header_from,
        argMinIf(v, n, name = 'reply-to' AND v != '') AS reply_to, argMinIf(v, n, name = 'in-reply-to' AND v != '') AS in_reply_to,
        argMinIf(v, n, name = 'references' AND v != '') AS references, argMinIf(protocol, n, protocol != '') AS protocol
    FROM (
        SELECT k, n, name, protocol, if(odd != '', known_headers.meaning, headers.meaning) AS v
        FROM headers ANY LEFT JOIN known_headers ON headers.odd = known_headers.odd AND headers.value = known_headers.value
        UNION ALL SELECT k, 0, '', '', '' FROM begun)
    GROUP BY k
) AS s USING k
INNER JOIN (
    SELECT
        k, 'accepted' AS type, active_at AS at, 1 AS waiting, '' AS recipient, '' AS original, 0 AS place, '' AS transport, '' AS mx_host, '' AS mx_ip,
        toUInt16(0) AS code, '' AS dsn, '' AS reply, toInt64(0) AS delay, '' AS tls, '' AS family, false AS hard, last AS line, raw
    FROM evidence
    UNION ALL
    SELECT
        k, transform(status, ['sent', 'deferred', 'bounced'], ['delivered', 'deferred', 'bounced'], ''), at, if(place = 1, -1, 0), recipient, original,
        place, transport, mx_host, mx_ip, code, dsn, reply, delay,
        tls0, if(status = 'sent', '', known_failures.family), if(status = 'sent', false, known_failures.hard), n, concat(toString(n), '\t', line)
    FROM (
        SELECT
            attempts.*, row_number() OVER (PARTITION BY k ORDER BY n) AS place,
            if(attempts.tls = '' AND mx_ip != '' AND startsWith(talk.peer, concat(mx_host, '[', mx_ip, ']')), talk.version, attempts.tls) AS tls0
        FROM attempts ASOF LEFT JOIN talk ON attempts.p = talk.p AND attempts.n > talk.n) AS a
    ANY LEFT JOIN known_failures ON a.reply = known_failures.reply AND a.code = known_failures.code AND a.dsn = known_failures.dsn
) AS x USING k
