"""The one source that carries all mail, as long as nothing asks for a choice."""

from deliveries.routing.egress_reading import BOUND

# One row or none. It says what `Egress.candidates` would for any mail to any receiver: there is one
# source, warm for all, that a node has and no receiver blocks; no rule leads elsewhere. Tables of
# some rows each, so each is read as a whole.
ONLY_SOURCE = f"""
SELECT source.name FROM deliveries_source source
WHERE source.state = 'warm' AND NOT source.warms_each
    AND NOT EXISTS (SELECT FROM deliveries_source other WHERE other.id <> source.id)
    AND NOT EXISTS (SELECT FROM deliveries_egressrule)
    AND NOT EXISTS (SELECT FROM deliveries_sourcerest rest
        WHERE rest.until IS NULL OR rest.until > now())
    AND NOT EXISTS (SELECT FROM deliveries_pool pool WHERE pool.name = 'default'
        AND NOT EXISTS (SELECT FROM deliveries_poolmember member
            WHERE member.pool_id = pool.id AND member.source_id = source.id))
    AND EXISTS (SELECT FROM deliveries_node node WHERE source.name = ANY(node.sources)
        AND node.seen_at > now() - make_interval(secs => {BOUND}))
"""  # noqa: S608  (put together from constants)
