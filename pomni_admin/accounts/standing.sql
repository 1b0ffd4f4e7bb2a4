-- What sessions are worth now: whose each is, and what that user may do.
-- Parameters: session_keys, user_ids, two lists of one length.
-- Returns:    no row for a session that has ended, is somebody else's, or whose user is not active; otherwise
--             session_key, user_id, session_data (signed, holds the hash of the password), password, is_superuser, permissions (codenames of
--             this application), has_second_factor.
SELECT
    s.session_key,
    u.id,
    s.session_data,
    u.password,
    u.is_superuser,
    ARRAY(
        SELECT p.codename
        FROM auth_permission p
        JOIN django_content_type c ON c.id = p.content_type_id AND c.app_label = 'accounts'
        WHERE p.id IN (
            SELECT up.permission_id FROM accounts_user_user_permissions up WHERE up.user_id = u.id
            UNION ALL
            SELECT gp.permission_id
            FROM accounts_user_groups ug
            JOIN auth_group_permissions gp ON gp.group_id = ug.group_id
            WHERE ug.user_id = u.id
        )
    ),
    EXISTS (SELECT 1 FROM mfa_authenticator a WHERE a.user_id = u.id AND a.type <> 'recovery_codes')
FROM accounts_session s
JOIN accounts_user u ON u.id = s.user_id
JOIN unnest(%s::text[], %s::bigint[]) AS asked (session_key, user_id)
    ON asked.session_key = s.session_key AND asked.user_id = u.id
WHERE u.is_active AND s.expire_date > now()
