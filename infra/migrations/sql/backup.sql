-- The table between the worker and the agents of the backup: the worker writes what is wanted, the agents write what they saw.
-- Run once, as nastup_owner, in the portal's database; the roles exist already.
CREATE SCHEMA backup;

-- one organisation = one repository, one key, one credential (both secrets are rows of public.secret, readable by those who need them)
CREATE TABLE backup.tenant (
  organisation uuid PRIMARY KEY,
  slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),  -- a directory of the vault: nothing that could climb out of it
  credential text NOT NULL CHECK (credential ~ '^\$2b\$'),               -- bcrypt of the password: the store agent never needs the password
  credential_set timestamptz,                                           -- the vault knows the credential (store agent)
  initialised timestamptz,                                              -- the repository was seen (backup agent)
  created timestamptz NOT NULL DEFAULT now());

CREATE TABLE backup.enrolment (
  person uuid PRIMARY KEY,
  organisation uuid NOT NULL REFERENCES backup.tenant,
  address text NOT NULL UNIQUE CHECK (address = lower(address)),
  active boolean NOT NULL DEFAULT true,                                 -- takes part in the nightly snapshot
  created timestamptz NOT NULL DEFAULT now());
CREATE INDEX enrolment_organisation ON backup.enrolment (organisation);

-- A job is leased: an agent that died in the middle loses it after lease_until and another takes it. `key` is the same for the same
-- wish, so that a worker that asks again (its answer was lost) waits for the job that is already there.
CREATE TABLE backup.job (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  agent text NOT NULL CHECK (agent IN ('backup', 'store')),
  kind text NOT NULL CHECK (kind IN ('credential', 'retain', 'init', 'enrol', 'observe', 'snapshot', 'restore')),
  key text NOT NULL,
  organisation uuid NOT NULL REFERENCES backup.tenant,
  arguments jsonb NOT NULL DEFAULT '{}',
  urgent boolean NOT NULL DEFAULT true,                                 -- somebody waits; the nightly round does not
  state text NOT NULL DEFAULT 'wanted' CHECK (state IN ('wanted', 'taken', 'done', 'failed')),
  holder text,
  lease_until timestamptz,
  tries integer NOT NULL DEFAULT 0,
  not_before timestamptz NOT NULL DEFAULT now(),
  answer jsonb,
  failure jsonb,                                                        -- {error, sentence, detail}
  created timestamptz NOT NULL DEFAULT now(),
  finished timestamptz,
  CHECK ((state IN ('done', 'failed')) = (finished IS NOT NULL)));
CREATE UNIQUE INDEX job_open ON backup.job (key) WHERE state IN ('wanted', 'taken');
CREATE INDEX job_key ON backup.job (key);
CREATE INDEX job_next ON backup.job (agent, urgent DESC, id) WHERE state IN ('wanted', 'taken');

CREATE FUNCTION backup.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state = 'wanted' THEN
    PERFORM pg_notify('backup_' || NEW.agent, NEW.id::text);
  ELSIF NEW.state IN ('done', 'failed') THEN
    PERFORM pg_notify('backup_answer', NEW.id::text);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER INSERT OR UPDATE OF state ON backup.job FOR EACH ROW EXECUTE FUNCTION backup.tell();

GRANT USAGE ON SCHEMA backup TO nastup_worker, nastup_backup_agent, nastup_store_agent;
GRANT SELECT ON backup.tenant, backup.enrolment, backup.job TO nastup_worker, nastup_backup_agent, nastup_store_agent;
-- the worker asks, it cannot answer itself
GRANT INSERT (organisation, slug, credential) ON backup.tenant TO nastup_worker;
GRANT INSERT (person, organisation, address, active), UPDATE (active), DELETE ON backup.enrolment TO nastup_worker;
GRANT INSERT (agent, kind, key, organisation, arguments) ON backup.job TO nastup_worker;
-- the agents answer; the nightly round is their own wish
GRANT UPDATE (credential_set) ON backup.tenant TO nastup_store_agent;
GRANT UPDATE (initialised) ON backup.tenant TO nastup_backup_agent;
GRANT INSERT (agent, kind, key, organisation, arguments, urgent), DELETE,
  UPDATE (state, holder, lease_until, tries, not_before, answer, failure, finished) ON backup.job TO nastup_backup_agent, nastup_store_agent;
