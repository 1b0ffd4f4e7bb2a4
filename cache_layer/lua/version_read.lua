-- The version of a collection.
-- KEYS[1] version
-- Returns the version | '' it was not changed lately
return redis.call('GET', KEYS[1]) or ''
