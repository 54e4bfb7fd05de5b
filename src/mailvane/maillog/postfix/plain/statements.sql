-- What is asked of one block. Each statement begins with `-- name: …`; words in braces are filled in by `block`.
-- Regular expressions are anchored, unambiguous and of at most four groups: RE2 then walks the text once.

-- name: cut
CREATE TEMPORARY TABLE cut ENGINE = Memory AS
SELECT
    n, line, {kept} AS body, toLowCardinality(hour) AS hour, past, toLowCardinality(substring(whole, h, b - h)) AS prefix,
    substring(whole, b + 1, e - b - 1) AS pid, e, c, timed, decoded,
    timed AND b > h AND e > b AND e - b < 12 AND NOT match(pid, '[^0-9]') AND length(line) < 8192
        AND substring(whole, e + 3, 4) != '[ID ' AND {sound} AND {printable} AS canonical
FROM (
    SELECT
        n, line, body AS whole, record, decoded, {hour} AS hour, {past} AS past, {timed} AS timed, {head} AS h,
        position(body, '[', h) AS b, position(body, ']: ', b) AS e, position(body, ': ', e + 3) AS c
    FROM (
        SELECT n, line, {record} AS record, {stamp} AS stamp, {body} AS body, {decoded} AS decoded
        FROM (SELECT {first} + rowNumberInAllBlocks() AS n, line FROM file({path}, 'LineAsString', 'line String'))
    )
)

-- Records that may say more than was taken out of them.
-- name: undecoded
SELECT count() FROM cut WHERE NOT decoded

-- name: hours
SELECT toString(hour), min(n) AS first FROM cut WHERE timed GROUP BY hour ORDER BY first

-- name: prefixes
SELECT toString(prefix), min(n) AS first FROM cut WHERE canonical GROUP BY prefix ORDER BY first

-- name: untimed
SELECT n, substring(line, 1, 32768) FROM cut WHERE NOT timed ORDER BY n LIMIT {most}

-- Kinds of lines: 0 begun, 1 a header, 2 named, 3 active, 4 an outcome, 5 the end; 6 a refusal before there was a queue
-- id; 7 of a connection, 8 of no effect, 9 any other; 10 that a notification was sent. Nothing here is dear enough that lines be set apart for it, each time.
-- name: lines
CREATE TEMPORARY TABLE l ENGINE = Memory AS
SELECT
    n, if(kind = 8, '', line) AS line, at, host, instance, service, daemon, role, pid, if(kind IN (7, 9), whole, '') AS text, q,
    if(kind < 7 OR kind = 10, behind, '') AS rest,
    multiIf(
        role = 'cleanup', multiIf(q = '', 9, startsWith(behind, 'info: header '), 1, startsWith(behind, 'message-id='), 2, 9),
        role = 'agent' AND startsWith(behind, 'to=<') AND q != '', 4,
        role = 'smtpd' AND startsWith(behind, 'client=') AND q != '', 0,
        role = 'smtpd' AND q = 'NOQUEUE' AND startsWith(behind, 'reject: '), 6,
        role = 'qmgr', multiIf(q = '', 9, behind = 'removed', 5, startsWith(behind, 'from=<') AND endsWith(behind, ' (queue active)'), 3, 9),
        role = 'foreign', 8,
        role = 'inner' AND q != '' AND daemon IN ('bounce', 'defer', 'trace') AND match(behind, {notified}), 10,
        role NOT IN ('smtpd', 'agent', 'other') OR startsWith(behind, 'client=') OR startsWith(behind, 'to='), 9,
        role = 'smtpd' AND behind = '' AND (startsWith(whole, 'connect from ') OR startsWith(whole, 'disconnect from ')), 7,
        position(whole, ' TLS connection ') > 0, if(match(whole, {encrypted}), 7, 9),
        match(whole, {harmless}) AND position(whole, 'proxy-') = 0, 8,
        9)::UInt8 AS kind,
    if(q = '' OR kind IN (6, 7, 8), 0, sipHash64(toString(host), q)) AS k
FROM (
    SELECT
        n, line, if(timed, transform(hour, {hours}, {times}, toInt64(-1)) + past, -1)::Int64 AS at,
        transform(prefix, {prefixes}, {hosts}, '') AS host, transform(prefix, {prefixes}, {instances}, '') AS instance,
        transform(prefix, {prefixes}, {services}, '') AS service, transform(prefix, {prefixes}, {daemons}, '') AS daemon,
        if(canonical, transform(prefix, {prefixes}, {roles}, 'foreign'), 'stray') AS role,
        pid, if(role = 'stray', {kept_as}, substring({kept_as}, e + 3)) AS whole,
        if(c = 0 OR role IN ('foreign', 'stray'), '', substring({kept_as}, e + 3, c - e - 3)) AS token,
        if(position(token, ' ') = 0, token, '') AS q, if(c = 0, '', substring({kept_as}, c + 2)) AS behind
    FROM cut
)
SETTINGS short_circuit_function_evaluation = 'disable'

-- What keeps the whole block from this path: lines of a before-queue filter, and connections told of in odd ways.
-- name: barred
SELECT
    countIf(role = 'smtpd' AND (startsWith(text, 'NOQUEUE: client=') OR position(text, 'proxy-') > 0)) AS proxied,
    countIf((role = 'stray' OR startsWith(text, 'message repeated '))
        AND multiSearchAny(text, ['connect from ', ' TLS connection ', 'NOQUEUE', 'queue active'])) AS odd,
    max(at) AS latest, minIf(at, at >= 0) AS earliest, argMaxIf(line, n, at >= 0) AS last,
    arrayMin(arrayDifference(groupArrayIf(at, at >= 0))) >= 0 AS sorted
FROM l

-- The latest time until each line, less the line's own: how far lines stand out of order.
-- name: disorder
SELECT max(until - at) FROM (SELECT at, max(at) OVER (ORDER BY n ROWS UNBOUNDED PRECEDING) AS until FROM l WHERE at >= 0)

-- Queue ids that lines name which are not their own, of those that have lines here: the least and the greatest of the
-- mails whose lines do (0: any). Odd: by lines that are read otherwise.
-- name: near
CREATE TEMPORARY TABLE near ENGINE = Memory AS
SELECT name, max(strange) AS odd, min(who) AS least, max(who) AS greatest FROM (
    SELECT k AS who, arrayJoin(extractAll(substring(rest, greatest(position(rest, 'ed as '), 8) - 7), '(?:queued|forwarded) as ([0-9A-Za-z]{6,})')) AS name, false AS strange
    FROM l WHERE kind = 4 AND position(rest, 'ed as ') > 0
    UNION ALL
    SELECT k, arrayJoin(extractAll(rest, 'orig_queue_id=([0-9A-Za-z]{6,})')), false FROM l WHERE kind = 0 AND position(rest, 'orig_queue_id=') > 0
    UNION ALL
    SELECT 0, arrayJoin(extractAll(text, '[0-9A-Za-z]{6,}')), role = 'stray' OR startsWith(text, 'message repeated ') FROM l
    WHERE role = 'stray' OR (kind = 9 AND role != 'foreign'
        AND multiSearchAny(text, ['ed as ', 'notification: ', 'orig_', 'message rejected', 'message repeated ']))
) WHERE name IN (SELECT q FROM l) GROUP BY name

-- Message-IDs, as often as cleanup names them.
-- name: names
CREATE TEMPORARY TABLE names ENGINE = Memory AS
SELECT k, n, substring(rest, 12) AS message_id FROM l WHERE kind = 2
UNION ALL
SELECT 0, n, trimRight(substring(text, position(text, 'message-id=') + 11), ']') FROM l
WHERE kind = 9 AND role != 'foreign' AND position(text, 'message-id=') > 0

-- What each process said of its connection: 1 the peer of a delivery, 2 that of a client, 3 the end of one. The peer, and
-- the version of TLS: `Trusted TLS connection established to mx.isp.example[203.0.113.9]:25: TLSv1.3 with cipher …`.
-- name: talk
CREATE TEMPORARY TABLE talk ENGINE = Memory AS
SELECT concat(toString(host), '/', pid) AS p, n, at, 3 AS what, '' AS peer, '' AS version FROM l
WHERE kind = 7 AND (startsWith(text, 'connect from ') OR startsWith(text, 'disconnect from '))
UNION ALL
SELECT p, n, at, if(role = 'smtpd', 2, 1), substring(text, peer, colon - peer), extract(substring(text, colon + 2), '^[\\w.]+')
FROM (
    SELECT
        concat(toString(host), '/', pid) AS p, n, at, role, text, position(text, ' ', position(text, ' connection ') + 12) AS established,
        position(text, ' ', established + 1) + 1 AS peer, position(text, ': ', peer) AS colon
    FROM l WHERE kind = 7 AND NOT startsWith(text, 'connect from ') AND NOT startsWith(text, 'disconnect from ')
)

-- Processes of which more has to be known than this path knows, by what they said; and all of them.
-- name: odd_sayings
CREATE TEMPORARY TABLE odd_sayings ENGINE = Memory AS
SELECT DISTINCT concat(toString(host), '/', pid) AS p FROM l
WHERE startsWith(text, 'message repeated ') OR (role = 'smtpd' AND startsWith(text, 'NOQUEUE: ') AND NOT startsWith(text, 'NOQUEUE: reject: '))

-- name: odd_processes
CREATE TEMPORARY TABLE odd_processes ENGINE = Memory AS
SELECT name AS p FROM in_flight WHERE what = 'process'
UNION ALL SELECT p FROM odd_sayings
UNION ALL SELECT p FROM talk GROUP BY p HAVING min(what) = 1 AND max(what) > 1

-- Queue ids whose lines stand here from the first to the last, in the usual order. A notice was written by Postfix itself.
-- name: whole
CREATE TEMPORARY TABLE whole ENGINE = Memory AS
SELECT
    k, any(q) AS queue_id, any(toString(instance)) AS scope, countIf(kind < 2) = 0 AS notice, maxIf(n, kind = 0) AS begun, maxIf(n, kind = 2) AS named,
    minIf(n, kind = 3) AS active, minIf(n, kind = 4) AS tried, maxIf(n, kind = 4) AS done, maxIf(at, kind = 2) AS named_at, maxIf(at, kind = 4) AS done_at
FROM l WHERE k != 0
GROUP BY k
HAVING count() < 60 AND maxIf(kind, kind != 10) = 5
    AND (countIf(kind = 0) = 1 OR (notice AND countIf(kind = 3 AND NOT startsWith(rest, 'from=<>,')) = 0)) AND countIf(kind = 2) = 1 AND countIf(kind = 3) > 0 AND countIf(kind = 4) > 0 AND countIf(kind = 5) = 1
    AND min(at) >= 0 AND begun < minIf(n, kind IN (1, 2)) AND maxIf(n, kind IN (1, 2)) < active
    AND active < tried AND maxIf(n, kind IN (3, 4, 10)) < maxIf(n, kind = 5) AND (countIf(kind = 10) = 0 OR active < minIf(n, kind = 10))
    AND max(at) - min(at) <= 18000000 AND maxIf(at, kind = 5) <= {latest} - {grace} AND max(at) <= {latest}
    AND min(instance) = max(instance) AND sum(length(line)) < 60000 AND match(queue_id, {queue_id})

-- Of these, two that are one mail: all answers to the first name the second, which a content filter gave back, and nobody else names either.
-- The first was in progress when the second was named, and a doubt about it has not ended: the state machine joins them, too.
-- name: pairs
CREATE TEMPORARY TABLE pairs ENGINE = Memory AS
SELECT former.k AS first, latter.k AS second, former.queue_id AS first_id, latter.queue_id AS second_id
FROM (
    SELECT k AS former_k, any(sipHash64(toString(host), name)) AS latter_k
    FROM (
        SELECT k, host, arrayJoin(extractAll(substring(rest, position(rest, 'queued as ')), 'queued as ([0-9A-Za-z]{6,})')) AS name
        FROM l WHERE kind = 4 AND position(rest, 'queued as ') > 0
    ) WHERE name IN (SELECT name FROM near)
    GROUP BY k HAVING min(name) = max(name)
) AS said
INNER JOIN whole AS former ON said.former_k = former.k
INNER JOIN whole AS latter ON said.latter_k = latter.k
INNER JOIN near AS of_latter ON latter.queue_id = of_latter.name
LEFT JOIN near AS of_former ON former.queue_id = of_former.name
WHERE former.k != latter.k AND NOT former.notice AND NOT latter.notice AND former.scope = latter.scope AND of_latter.least = former.k AND of_latter.greatest = former.k
    AND (of_former.name = '' OR (of_former.least = latter.k AND of_former.greatest = latter.k))
    AND former.begun < latter.begun AND former.active < latter.named AND latter.named < former.tried AND former.done < latter.tried
    AND former.done_at <= latter.named_at + {doubt}

-- name: mails
CREATE TEMPORARY TABLE mails ENGINE = Memory AS
SELECT k, queue_id, active, notice FROM whole
WHERE queue_id NOT IN (SELECT name FROM near) OR k IN (SELECT first FROM pairs) OR k IN (SELECT second FROM pairs)

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
        k, n, lower(substring(x, 1, colon - 1)) AS name, substring(x, colon + 2, tail - back - 6 - colon - 1) AS value,
        substring(envelope, proto + 8, position(envelope, ' helo=<', proto) - proto - 8) AS protocol,
        match(envelope, '^; from=<[^<>"]*> to=<[^<>"]*> proto=\\w+ helo=<[^<>"]*>$') AND colon > 0 AND tail - back - 6 >= colon AND endsWith(head, ']')
            AND substring(head, length(head) - back - 4, 5) = ' from' AND position(substring(head, length(head) - back + 1), '"') = 0 AND name NOT IN {marks} AS fine,
        position(reverse(value), '<') AS inside, if(name IN ('from', 'reply-to') AND match(value, {address}),
            if(endsWith(value, '>'), substring(value, length(value) - inside + 2, inside - 2), value), '') AS address,
        if(address = '', value, {canonical:address}) AS meaning
    FROM (
        SELECT
            k, n, substring(rest, 14) AS x, position(x, ': ') AS colon, position(x, '; from=<') AS tail, substring(x, 1, tail - 1) AS head,
            position(reverse(head), ' ') AS back, substring(x, tail) AS envelope, position(envelope, '> proto=') AS proto
        FROM l WHERE kind = 1 AND k IN (SELECT k FROM mails)
    )
)

-- name: attempts
CREATE TEMPORARY TABLE attempts ENGINE = Memory AS
SELECT
    k, n, at, q, concat(toString(host), '/', pid) AS p, toString(daemon) AS transport, line, status, dsn, tls, reply,
    {canonical:sent_to} AS recipient, {canonical:sent_for} AS original, mx_host, mx_ip,
    toInt64(floor(toFloat64OrZero(delay) * 1000 + 0.5)) AS delay,
    toUInt16OrZero(substring(extract(reply, '^[2-5]\\d\\d(?:[ -]|$)'), 1, 3)) AS code,
    whom != [] AND how != [] AND via != [] AND quoted_fine AND position(sent_to, ' ') = 0 AND position(sent_for, ' ') = 0
        AND NOT startsWith(said, 'SASL ') AND NOT (endsWith(said, ' command') AND position(said, ' (in reply to ') > 0) AS fine
FROM (
    SELECT
        k, n, at, q, host, pid, daemon, line, said, whom, how, via, whom[1] AS sent_to, whom[2] AS sent_for,
        how[1] AS delay, how[2] AS tls, how[3] AS dsn, how[4] AS status,
        if(startsWith(said, 'host ') OR startsWith(said, 'delivery '), extractGroups(said, {said}), []) AS quoted,
        quoted != [] OR NOT (startsWith(said, 'host ') OR startsWith(said, 'delivery ')) OR (position(said, ' said: ') = 0
            AND position(said, ' refused to talk to me: ') = 0) AS quoted_fine,
        if(via[2] = '' AND quoted != [], quoted[1], if(via[1] = 'none' AND via[2] = '', '', via[1])) AS mx_host,
        if(via[2] = '' AND quoted != [], quoted[2], via[2]) AS mx_ip,
        if(quoted != [], quoted[3], said) AS reply
    FROM (
        SELECT
            k, n, at, q, host, pid, daemon, line, extractGroups(rest, {whom}) AS whom,
            extractGroups(whom[3], '^([^\\[\\]:]*)(?:\\[([^\\[\\]]*)\\](?::\\d+)?)?$') AS via,
            position(rest, ' delay=') AS d, position(rest, ' (', d) AS o, extractGroups(substring(rest, d + 7), {how}) AS how,
            substring(rest, o + 2, length(rest) - o - 2) AS said
        FROM l WHERE kind = 4 AND k IN (SELECT k FROM mails) AND endsWith(rest, ')')
    )
)

-- What was refused before it had a queue id, each a mail of its own. `gist`: the reply without the addresses in it, which
-- decide nothing about the reason.
-- name: refused
CREATE TEMPORARY TABLE refused ENGINE = Memory AS
SELECT
    n, at, host, instance, interface, pid, concat(host, '/', pid) AS p, line, if(about[1] = 'unknown', '', about[1]) AS client_name, about[2] AS origin,
    about[3] AS reply, replaceRegexpAll(replaceRegexpAll(reply, '<[^<>@]*@[^<>]*>', '<a@b>'), '\\[\\d+\\.\\d+\\.\\d+\\.\\d+\\]', '[1.2.3.4]') AS gist,
    toUInt16OrZero(substring(reply, 1, 3)) AS code, extract(substring(reply, 5, 12), '^[245]\\.\\d{1,3}\\.\\d{1,3}') AS dsn,
    {canonical:sent_by} AS sender, {canonical:sent_to} AS recipient, envelope[3] AS protocol, envelope[4] AS login,
    tail > 0 AND envelope != [] AND about != [] AND length(reply) < 2000 AND match(reply, '^[2-5]\\d\\d [245]\\.\\d{1,3}\\.\\d{1,3} ')
        AND NOT match(body, ';(?:,? (?:from|to|proto|helo|sasl_username)=|: )') AS fine
FROM (
    SELECT
        n, at, toString(host) AS host, toString(instance) AS instance, toString(service) AS interface, pid, line, position(rest, '; from=<') AS tail,
        substring(rest, 1, tail - 1) AS body, extractGroups(body, {refused}) AS about, extractGroups(substring(rest, tail), {envelope}) AS envelope,
        envelope[1] AS sent_by, envelope[2] AS sent_to
    FROM l WHERE kind = 6
)

-- What was begun: one row a mail. In steps: an expression that stands in another is worked out, and planned, once for each time that it does.
-- name: begun
CREATE TEMPORARY TABLE begun ENGINE = Memory AS
SELECT
    k, q, host, instance, interface, first_line, if(micros < 1000000 AND begun_at % 1000 = 0, begun_at + intDiv(micros, 1000), begun_at) AS accepted_at,
    p, begun_at, if(c[1] = 'unknown', '', c[1]) AS client_name, c[2] AS origin, concat(c[3], c[4]) AS login,
    {canonical:sent_by} AS sender, size, recipients, message_id, named, passed_on, notice, sound AND (known OR passed_on != '') AS fine
FROM (
    SELECT
        k, q, host, instance, interface, first_line, p, begun_at, c, a[1] AS sent_by, toUInt64OrZero(a[2]) AS size, toUInt32OrZero(a[3]) AS recipients,
        message_id, named, notice, if(notice, position(message_id, q) > 0, length(c) = 4) AS known, if(known, '', extract(rest, {passed_on})) AS passed_on, length(a) = 3 AND match(message_id, '^<[^<>]+>$') AS sound,
        multiIf(
            digits != '', (at_1 - 1) * 140608 + (at_2 - 1) * 2704 + (at_3 - 1) * 52 + at_4 - 1,
            match(q, '^[0-9A-Fa-f]{5}'), toInt64(reinterpretAsUInt32(reverse(unhex(concat('000', substring(q, 1, 5)))))), 10000000) AS micros
    FROM (
        SELECT
            *, toInt64(position({digits}, substring(digits, 1, 1))) AS at_1, toInt64(position({digits}, substring(digits, 2, 1))) AS at_2,
            toInt64(position({digits}, substring(digits, 3, 1))) AS at_3, toInt64(position({digits}, substring(digits, 4, 1))) AS at_4
        FROM (
            SELECT *, if(z > 10 AND z < length(q), substring(q, z - 4, 4), '') AS digits
            FROM (
                SELECT
                    k, born.q AS q, toString(born.host) AS host, toString(born.instance) AS instance, if(notice, '', toString(born.service)) AS interface, born.n AS first_line,
                    born.kind = 2 AS notice, if(notice, '', concat(host, '/', born.pid)) AS p, born.at AS begun_at, if(notice, '', born.rest) AS rest, extractGroups(rest, {client}) AS c, extractGroups(act.rest, {active}) AS a,
                    substring(mid.rest, 12) AS message_id, mid.n AS named, length(q) - position(reverse(q), 'z') + 1 AS z
                FROM (
                    SELECT k, n, at, kind, q, host, instance, service, pid, rest FROM l
                    WHERE (kind = 0 AND k IN (SELECT k FROM mails)) OR (kind = 2 AND k IN (SELECT k FROM mails WHERE notice))
                ) AS born
                ANY INNER JOIN (SELECT k, rest FROM l WHERE kind = 3 AND n IN (SELECT active FROM mails)) AS act USING k
                ANY INNER JOIN (SELECT k, n, rest FROM l WHERE kind = 2 AND k IN (SELECT k FROM mails)) AS mid USING k
            )
        )
    )
)

-- The lines behind an acceptance. They are put together for a few mails at a time: each exists several times meanwhile.
-- name: evidence
CREATE TEMPORARY TABLE evidence ENGINE = Memory AS
SELECT
    k, max(n) AS last, argMax(at, n) AS active_at,
    arrayStringConcat(groupArray(concat(toString(n), '\t', line)), '\n') AS raw
FROM (
    SELECT k, n, at, line FROM l
    WHERE kind < 4 AND k IN (SELECT k FROM mails) AND k NOT IN (SELECT second FROM pairs) AND (kind < 3 OR n IN (SELECT active FROM mails))
)
GROUP BY k
SETTINGS max_block_size = 2048

-- The lines behind an outcome, besides its own: that it was put back into the queue, that its sender was told, and what a
-- filter gave back.
-- name: before
CREATE TEMPORARY TABLE before ENGINE = Memory AS
SELECT k, outcome, concat(arrayStringConcat(arrayMap(each -> each.2, arraySort(groupArray((n, concat(toString(n), '\t', line))))), '\n'), '\n') AS raw
FROM (
    SELECT said.k AS k, said.n AS n, said.line AS line, attempts.n AS outcome
    FROM (
        SELECT k, n, line FROM l
        WHERE kind IN (0, 1, 2, 3, 10) AND k IN (SELECT k FROM mails)
            AND (k IN (SELECT second FROM pairs) OR kind = 10 OR (kind = 3 AND n NOT IN (SELECT active FROM mails)))
    ) AS said
    ASOF INNER JOIN (SELECT k, n FROM attempts) AS attempts ON said.k = attempts.k AND said.n < attempts.n
)
GROUP BY k, outcome

-- name: unknown_headers
SELECT DISTINCT odd, value FROM headers WHERE odd != '' AND fine

-- name: failures
SELECT DISTINCT reply, code, dsn FROM attempts WHERE status != 'sent' AND fine
UNION DISTINCT SELECT gist, code, dsn FROM refused WHERE fine

-- Who took a mail and is of this machine or its networks may be a content filter.
-- name: taken_nearby
SELECT DISTINCT reply, mx_host, mx_ip, transport FROM attempts WHERE status = 'sent' AND fine AND match(mx_ip, {near_address})

-- Mails with lines that do not read as others of their kind do.
-- name: unusual
CREATE TEMPORARY TABLE unusual ENGINE = Memory AS
SELECT k FROM l WHERE k IN (SELECT k FROM mails) AND ((kind = 4 AND NOT endsWith(rest, ')')) OR (kind = 3 AND NOT match(rest, {active})))

-- What has to be known of each line when its text is let go of. `notice_k`: the notification that it names.
-- name: shapes
CREATE TEMPORARY TABLE shapes ENGINE = Memory AS
SELECT
    n, at, kind, k, if(role IN ('smtpd', 'agent', 'other') AND kind IN (0, 4, 9), concat(toString(host), '/', pid), '') AS p,
    if(kind = 10, sipHash64(toString(host), extract(rest, ': (\\w+)$')), 0) AS notice_k
FROM l

-- Mails that are not plain after all.
-- name: doubts
CREATE TEMPORARY TABLE doubts ENGINE = Memory AS
SELECT k FROM headers
WHERE NOT fine OR (k IN (SELECT second FROM pairs) AND (k, name, value) NOT IN (SELECT second, name, value FROM pairs INNER JOIN headers ON pairs.first = headers.k))
UNION ALL SELECT k FROM unusual
UNION ALL SELECT k FROM mails WHERE k NOT IN (SELECT k FROM begun) OR queue_id IN (SELECT name FROM in_flight WHERE what = 'queue id')
UNION ALL SELECT k FROM begun
WHERE NOT fine OR p IN (SELECT p FROM odd_processes) OR (passed_on != '' AND (k, passed_on) NOT IN (SELECT second, first_id FROM pairs)) OR message_id IN (
    SELECT message_id FROM names WHERE k NOT IN (SELECT second FROM pairs) GROUP BY message_id HAVING count() > 1 UNION ALL SELECT name FROM in_flight WHERE what = 'message id')
UNION ALL SELECT k FROM attempts
WHERE NOT fine OR p IN (SELECT p FROM odd_processes) OR (reply, mx_host, mx_ip, transport) IN (SELECT reply, mx_host, mx_ip, transport FROM filters)
    OR (k IN (SELECT first FROM pairs) AND (status != 'sent' OR (k, extract(reply, 'queued as ([0-9A-Za-z]{6,})$')) NOT IN (SELECT first, second_id FROM pairs)))
UNION ALL SELECT k FROM (
    SELECT k, arrayJoin(extractAll(reply, '(?:queued|forwarded) as ([0-9A-Za-z]{6,})')) AS name
    FROM attempts WHERE position(reply, 'ed as ') > 0 AND k NOT IN (SELECT first FROM pairs)
) WHERE name IN (SELECT name FROM near UNION ALL SELECT name FROM in_flight WHERE what = 'queue id')
UNION ALL SELECT begun.k FROM begun ASOF INNER JOIN nameless ON begun.host = nameless.host AND begun.named >= nameless.first WHERE begun.named <= nameless.last
UNION ALL SELECT spoken.k
FROM (SELECT k, p, first_line AS n, begun_at AS at FROM begun UNION ALL SELECT k, p, n, at FROM attempts) AS spoken
ASOF INNER JOIN talk ON spoken.p = talk.p AND spoken.n > talk.n WHERE talk.version != '' AND talk.at < spoken.at - {idle}
UNION ALL SELECT pairs.second
FROM pairs INNER JOIN begun AS former ON pairs.first = former.k INNER JOIN begun AS latter ON pairs.second = latter.k
WHERE former.message_id != latter.message_id OR former.sender != latter.sender OR former.size = 0 OR former.recipients = 0
    OR pairs.second IN (SELECT first FROM pairs) OR (former.sender = '' AND pairs.second IN (SELECT k FROM headers))

-- Who is one mail with another is as plain as that.
-- name: doubt
CREATE TEMPORARY TABLE doubt ENGINE = Memory AS
SELECT k FROM doubts
UNION ALL SELECT first FROM pairs WHERE second IN (SELECT k FROM doubts)
UNION ALL SELECT second FROM pairs WHERE first IN (SELECT k FROM doubts)

-- Whether what was refused was said to a client that talked encrypted, and is plain.
-- name: refusals
CREATE TEMPORARY TABLE refusals ENGINE = Memory AS
SELECT
    refused.*, talk.version != '' AS secured,
    fine AND refused.p NOT IN (SELECT p FROM odd_processes) AND NOT (secured AND talk.at < refused.at - {idle}) AS plain
FROM refused ASOF LEFT JOIN talk ON refused.p = talk.p AND refused.n > talk.n

-- What other mails went through, by which one of them may be in progress while its Message-ID is not known: 0 begun,
-- 2 named, 3 active with so many recipients, 4 an outcome, 5 the end, 6 what begins and ends nothing, 9 anything else.
-- `odd`: other lines name it, too.
-- name: courses
SELECT
    concat(toString(host), '/', toString(instance), '/', q), toString(host), n, at, if(kind = 10 OR (kind = 9 AND (role = 'agent' OR daemon IN ('bounce', 'defer', 'trace'))), 6, kind),
    multiIf(kind = 2, toUInt32(rest != 'message-id=<>'), kind = 3, toUInt32OrZero(extract(rest, 'nrcpt=(\\d+) ')), toUInt32(daemon != 'local')),
    q IN (SELECT name FROM near WHERE odd)
FROM l
WHERE kind != 1 AND k IN (SELECT k FROM l WHERE k NOT IN (SELECT k FROM mails) AND kind = 3)
ORDER BY n

-- What is left for the state machine, but for the lines of connections.
-- name: rest
CREATE TEMPORARY TABLE rest ENGINE = Memory AS
SELECT n, at, p FROM shapes
WHERE kind NOT IN (6, 7, 8) AND (
    k NOT IN (SELECT k FROM mails) OR k IN (SELECT k FROM doubt)
    OR (kind = 10 AND (notice_k NOT IN (SELECT k FROM mails) OR notice_k IN (SELECT k FROM doubt))))
UNION ALL SELECT n, at, p FROM refusals WHERE NOT plain

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
SELECT n, at FROM (SELECT n, at FROM rest UNION ALL SELECT n, at FROM shapes WHERE kind = 7 AND n IN (SELECT n FROM said_last)) ORDER BY n

-- Likewise, with the latest time of all lines until then.
-- name: left_out_of_order
SELECT n, until
FROM (SELECT n, kind, max(at) OVER (ORDER BY n ROWS UNBOUNDED PRECEDING) AS until FROM shapes)
WHERE n IN (SELECT n FROM rest UNION ALL SELECT n FROM said_last WHERE n > 0) ORDER BY n

-- How many events of each type there are, of mail proper.
-- name: counts
SELECT type, count() FROM told WHERE kind = 'mail' GROUP BY type

-- Those that somebody else hears of: answers to mails, each once, and bounces that count against a domain.
-- name: noted
SELECT * REPLACE ('' AS raw) FROM told WHERE (type = 'accepted' AND (in_reply_to != '' OR references != '')) OR (type = 'bounced' AND hard)

-- name: extent
SELECT count(), min(accepted_at), max(accepted_at) FROM told

-- name: events
CREATE TEMPORARY TABLE told ENGINE = Memory AS
SELECT
    toUInt32({relay}) AS relay, accepted_at, toUInt32(bitShiftRight(reinterpretAsUInt32(reverse(substring(MD5(concat(host, '\0', instance, '\0', q)), 1, 4))), 4)) AS number,
    toLowCardinality(type) AS type, greatest(x.at, accepted_at) AS at, toLowCardinality(if(notice, 'notification', 'mail')) AS kind, toInt8(x.waiting) AS waiting, recipient, original AS original_recipient,
    toUInt32(x.place) AS recipient_number, sender, s.subject AS subject, message_id, s.header_from AS header_from, s.reply_to AS reply_to,
    s.in_reply_to AS in_reply_to, s.references AS references, origin, toLowCardinality(client_name) AS client_name, toLowCardinality(login) AS login,
    toLowCardinality(multiIf(
        s.protocol IN ('SMTP', 'LOCAL'), s.protocol, secured OR login != '' OR s.protocol != '',
        concat(if(s.protocol = '', 'ESMTP', s.protocol), if(secured, 'S', ''), if(login != '', 'A', '')), '')) AS protocol,
    toLowCardinality(interface) AS interface, size, recipients, q AS queue_id, toLowCardinality(host) AS host, toLowCardinality(x.transport) AS transport,
    toLowCardinality(x.mx_host) AS mx_host, toLowCardinality(x.mx_ip) AS mx_ip, x.code AS code, toLowCardinality(x.dsn) AS enhanced_code, x.reply AS reply,
    x.delay AS delay, toLowCardinality(x.tls) AS tls, toLowCardinality(x.family) AS family, x.hard AS hard, toLowCardinality({source}) AS source, toUInt64(x.line) AS line, x.raw AS raw,
    toLowCardinality('') AS campaign, toLowCardinality('') AS sequence, toUInt16(0) AS step, false AS automatic, false AS positive, x.current_id AS current_queue_id
FROM (
    SELECT begun.*, interface IN ('smtps', 'submissions', '465') OR talk.version != '' AS secured
    FROM begun ASOF LEFT JOIN talk ON begun.p = talk.p AND begun.first_line > talk.n
    WHERE k NOT IN (SELECT k FROM doubt) AND k NOT IN (SELECT second FROM pairs)
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
        toUInt16(0) AS code, '' AS dsn, '' AS reply, toInt64(0) AS delay, '' AS tls, '' AS family, false AS hard, last AS line, raw, '' AS current_id
    FROM evidence
    UNION ALL
    SELECT
        a.root, if(passed, 'reinjected', transform(status, ['sent', 'deferred', 'bounced'], ['delivered', 'deferred', 'bounced'], '')), at, if(turn = 1 AND NOT passed, -1, 0),
        recipient, original, place, transport, mx_host, mx_ip, a.code, a.dsn, a.reply, delay,
        tls0, if(status = 'sent', '', known_failures.family), if(status = 'sent', false, known_failures.hard), a.n, concat(before.raw, toString(a.n), '\t', line),
        if(a.root = a.k, '', q)
    FROM (
        SELECT
            turns.*, dense_rank() OVER (PARTITION BY root ORDER BY since) AS place,
            if(turns.tls = '' AND mx_ip != '' AND startsWith(talk.peer, concat(mx_host, '[', mx_ip, ']')), talk.version, turns.tls) AS tls0
        FROM (
            SELECT
                attempts.*, if(pairs.second = 0, attempts.k, pairs.first) AS root, k IN (SELECT first FROM pairs) AS passed,
                row_number() OVER (PARTITION BY k ORDER BY n) AS turn, min(n) OVER (PARTITION BY root, recipient) AS since
            FROM attempts ANY LEFT JOIN pairs ON attempts.k = pairs.second
        ) AS turns
        ASOF LEFT JOIN talk ON turns.p = talk.p AND turns.n > talk.n
    ) AS a
    ANY LEFT JOIN known_failures ON a.reply = known_failures.reply AND a.code = known_failures.code AND a.dsn = known_failures.dsn
    ANY LEFT JOIN before ON a.k = before.k AND a.n = before.outcome
) AS x USING k

-- name: rejections
INSERT INTO told (
    relay, accepted_at, number, type, at, kind, recipient, recipient_number, sender, origin, client_name, login, protocol, interface, host,
    code, enhanced_code, reply, family, hard, source, line, raw)
SELECT
    {relay}, refusals.at, bitShiftRight(reinterpretAsUInt32(reverse(substring(MD5(concat(host, '\0', instance, '\0', pid, '\0', toString(n), '\0', line)), 1, 4))), 4),
    'rejected', refusals.at, 'mail', recipient, recipient != '', sender, origin, client_name, login,
    if(protocol IN ('SMTP', 'LOCAL'), protocol, concat(protocol, if(secured, 'S', ''), if(login != '', 'A', ''))), interface, host,
    refusals.code, refusals.dsn, refusals.reply, known_failures.family, known_failures.hard, {source}, n, concat(toString(n), '\t', line)
FROM refusals
ANY LEFT JOIN known_failures ON refusals.gist = known_failures.reply AND refusals.code = known_failures.code AND refusals.dsn = known_failures.dsn
WHERE plain
