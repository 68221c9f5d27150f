-- Database `mail`: what Dovecot and Postfix read, and the worker writes. Applied at every start, so every statement may be repeated.
CREATE TABLE IF NOT EXISTS domain (
  name text PRIMARY KEY CHECK (name = lower(name)),
  organisation text NOT NULL,                -- our id of the organisation
  active boolean NOT NULL DEFAULT true,
  created timestamptz NOT NULL DEFAULT now());

CREATE TABLE IF NOT EXISTS mailbox (
  address text PRIMARY KEY CHECK (address = lower(address)),
  domain text NOT NULL REFERENCES domain (name),
  external_id text UNIQUE,                   -- the person's id: a repeat finds its own, a namesake is a conflict
  password text,                             -- '{BLF-CRYPT}...' of a machine's mailbox; NULL = the identity server's tokens only
  quota_bytes bigint NOT NULL DEFAULT 1073741824 CHECK (quota_bytes > 0),
  active boolean NOT NULL DEFAULT true,      -- may log in and send
  deliverable boolean NOT NULL DEFAULT true, -- accepts mail
  created timestamptz NOT NULL DEFAULT now(),
  CHECK (split_part(address, '@', 2) = domain),
  CHECK (split_part(address, '@', 1) !~ '[/*+%]|^\.'));  -- becomes a directory; * separates the verifier's name, + a detail

CREATE TABLE IF NOT EXISTS alias (source text NOT NULL, target text NOT NULL, PRIMARY KEY (source, target));

-- One row: what Keycloak sends to this work address goes to the private address, until `expires` or `done`.
CREATE TABLE IF NOT EXISTS activation (
  address text PRIMARY KEY CHECK (address = lower(address)),
  private_address text CHECK (private_address ~ '^[^@[:space:],]+@[^@[:space:],]+$'),  -- erased after use or expiry
  expires timestamptz NOT NULL,
  done timestamptz);

ALTER TABLE activation ADD COLUMN IF NOT EXISTS forwarded timestamptz;  -- when Postfix last asked, that is, took a letter of Keycloak

-- What Postfix asks when it takes a letter of Keycloak. The look-up leaves a trace, because Keycloak's answer to "send the link" may be
-- lost and a second link must not go out then: the mail server is the only other witness.
CREATE OR REPLACE FUNCTION activation_target(work_address text) RETURNS SETOF text LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
  UPDATE activation SET forwarded = clock_timestamp()
  WHERE address = work_address AND done IS NULL AND expires > now() AND private_address IS NOT NULL RETURNING private_address $$;
REVOKE ALL ON FUNCTION activation_target (text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION activation_target (text) TO mailread;

-- Dovecot's `dict` proxy wants JSON; its own pgsql driver beside oauth2 crashes the authentication process at start (2.3.19).
CREATE OR REPLACE VIEW dovecot_passdb AS
  SELECT m.address AS username, json_build_object('password', m.password)::text AS json
  FROM mailbox m JOIN domain d ON d.name = m.domain WHERE m.active AND d.active AND m.password IS NOT NULL;

CREATE OR REPLACE VIEW dovecot_userdb AS
  SELECT s.service, m.address AS username, json_build_object(
      'home', '@STORE@/' || m.domain || '/' || split_part(m.address, '@', 1),
      'uid', 'nastup-mail', 'gid', 'nastup-mail', 'quota_rule', '*:bytes=' || m.quota_bytes)::text AS json
  FROM mailbox m JOIN domain d ON d.name = m.domain
  CROSS JOIN (VALUES ('imap'), ('lmtp'), ('doveadm'), ('quota-status'), ('smtp'), ('sieve')) AS s (service)
  WHERE s.service = 'doveadm' OR d.active AND CASE WHEN s.service IN ('lmtp', 'quota-status') THEN m.deliverable ELSE m.active END;

GRANT SELECT ON domain, mailbox, alias, dovecot_passdb, dovecot_userdb TO mailread;
GRANT SELECT, INSERT, UPDATE ON domain, mailbox TO mail_writer;  -- never DELETE: a mailbox goes by a request of its own
GRANT SELECT, INSERT, UPDATE, DELETE ON alias, activation TO mail_writer;
