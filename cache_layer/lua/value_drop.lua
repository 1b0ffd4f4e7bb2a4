-- Invalidate: the value goes, and the lease of whoever is loading it now.
-- KEYS[1] value  KEYS[2] lease
-- Returns {values dropped, leases dropped}
return {redis.call('DEL', KEYS[1]), redis.call('DEL', KEYS[2])}
