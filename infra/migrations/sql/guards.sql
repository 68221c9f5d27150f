-- What the database refuses whatever the program does: illegal moves, changed history, foreign rows, and rights nobody needs.
-- Run by the first revision as nastup_owner; the roles exist already.

-- 1 Who is asking ------------------------------------------------------------------------------------------------
-- Set at every begin by flows.model.session; an empty value is nobody.
CREATE FUNCTION asking_person() RETURNS uuid LANGUAGE sql STABLE AS
$$ SELECT nullif(current_setting('nastup.person', true), '')::uuid $$;

-- A regional role counts only if it stands in the token (nastup.roles) AND in the table, in force today.
CREATE FUNCTION asking_regional(wanted text[] DEFAULT NULL) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT EXISTS (SELECT FROM regional_role r WHERE r.person_id = asking_person()
     AND r.role = ANY (string_to_array(current_setting('nastup.roles', true), ','))
     AND (wanted IS NULL OR r.role = ANY (wanted))
     AND r.valid_from <= CURRENT_DATE AND (r.valid_until IS NULL OR r.valid_until >= CURRENT_DATE)) $$;

CREATE FUNCTION asking_organisations(wanted text[] DEFAULT NULL) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT r.organisation_id FROM organisation_role r WHERE r.person_id = asking_person()
     AND (wanted IS NULL OR r.role = ANY (wanted))
     AND r.valid_from <= CURRENT_DATE AND (r.valid_until IS NULL OR r.valid_until >= CURRENT_DATE) $$;

-- People whose names a person may read: colleagues of their organisations, and those who decide for the region.
CREATE FUNCTION asking_knows(other uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT other = asking_person() OR asking_regional()
     OR EXISTS (SELECT FROM regional_role r WHERE r.person_id = other)
     OR EXISTS (SELECT FROM organisation_role r WHERE r.person_id = other AND r.organisation_id IN (SELECT asking_organisations()))
     OR EXISTS (SELECT FROM employment e WHERE e.person_id = other AND e.organisation_id IN (SELECT asking_organisations()))
     OR EXISTS (SELECT FROM onboarding_request q WHERE q.beneficiary_id = other AND q.organisation_id IN (SELECT asking_organisations())) $$;

-- Before anybody is known: the person of an account, and their names for the session.
CREATE FUNCTION person_of(wanted_issuer text, wanted_subject text) RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT person_id FROM login_account WHERE issuer = wanted_issuer AND subject = wanted_subject $$;

-- Taken or free, and nothing else: who has the name is not for the applicant.
CREATE FUNCTION name_taken(wanted_kind text, wanted_name text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT EXISTS (SELECT FROM reserved_name WHERE kind = wanted_kind AND name = lower(wanted_name)) $$;

CREATE FUNCTION personal_number_taken(wanted_organisation uuid, wanted_number text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT EXISTS (SELECT FROM employment WHERE organisation_id = wanted_organisation AND personal_number = wanted_number AND state IN ('planned','active')) $$;

-- The domains whose mail we deliver: a private address must be outside all of them, also of those that the applicant does not see.
CREATE FUNCTION managed_domains() RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT domain FROM organisation $$;

-- P-2026-0042: a sequence per kind and year; a rolled-back submission leaves a gap, which is allowed.
CREATE FUNCTION next_number(prefix text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE year text := to_char(now() AT TIME ZONE 'Europe/Prague', 'YYYY'); series text;
BEGIN
  IF prefix !~ '^[A-Z]$' THEN RAISE EXCEPTION 'a number begins with one capital letter'; END IF;
  series := format('number_%s_%s', lower(prefix), year);
  IF to_regclass(series) IS NULL THEN
    PERFORM pg_advisory_xact_lock(hashtext(series));
    EXECUTE format('CREATE SEQUENCE IF NOT EXISTS %I', series);
  END IF;
  RETURN prefix || '-' || year || '-' || lpad(nextval(series)::text, 4, '0');
END $$;

-- 2 Legal moves (the same table as flows/approval/states.py; a test compares them) --------------------------------
CREATE TABLE legal_move (thing text NOT NULL, was text NOT NULL, becomes text NOT NULL, PRIMARY KEY (thing, was, becomes));

CREATE FUNCTION refuse_illegal_move() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF NEW.state <> OLD.state AND NOT EXISTS (SELECT FROM legal_move WHERE thing = TG_TABLE_NAME AND was = OLD.state AND becomes = NEW.state) THEN
    RAISE EXCEPTION 'illegal move of %: % -> %', TG_TABLE_NAME, OLD.state, NEW.state USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER legal_move BEFORE UPDATE OF state ON onboarding_request FOR EACH ROW EXECUTE FUNCTION refuse_illegal_move();
CREATE TRIGGER legal_move BEFORE UPDATE OF state ON effect FOR EACH ROW EXECUTE FUNCTION refuse_illegal_move();

CREATE FUNCTION begin_as_draft() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state <> 'draft' THEN RAISE EXCEPTION 'a request begins as a draft' USING ERRCODE = 'check_violation'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER begin_as_draft BEFORE INSERT ON onboarding_request FOR EACH ROW EXECUTE FUNCTION begin_as_draft();

-- A write of a worker that has lost its lease is refused here too (fencing).
CREATE FUNCTION refuse_older_epoch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF NEW.epoch < coalesce((SELECT epoch FROM lease WHERE request_id = NEW.request_id), 0) THEN
    RAISE EXCEPTION 'this worker has lost the request' USING ERRCODE = 'lock_not_available';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER fencing BEFORE INSERT OR UPDATE ON effect FOR EACH ROW EXECUTE FUNCTION refuse_older_epoch();

-- 3 History is append only ----------------------------------------------------------------------------------------
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is append only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON decision FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON request_version FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE ON attempt FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON decision FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- hash = SHA-256 over the hash before and the record; one writer at a time until its commit, so the chain has no forks.
CREATE FUNCTION audit_text(a audit) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT concat_ws(E'\n', a.previous_hash, to_char(a.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), coalesce(a.actor_id::text, ''), a.actor, a.action, coalesce(a.request_id::text, ''), a.facts::text) $$;

CREATE FUNCTION chain_audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(2026112301);
  NEW.at := clock_timestamp();
  NEW.previous_hash := coalesce((SELECT hash FROM audit ORDER BY position DESC LIMIT 1), repeat('0', 64));
  NEW.hash := encode(sha256(convert_to(audit_text(NEW), 'UTF8')), 'hex');
  RETURN NEW;
END $$;
CREATE TRIGGER chain BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION chain_audit();

-- 4 Four eyes, the last line ---------------------------------------------------------------------------------------
CREATE FUNCTION four_eyes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE request onboarding_request; asked stage;
BEGIN
  SELECT * INTO request FROM onboarding_request WHERE id = NEW.request_id FOR SHARE;
  SELECT * INTO asked FROM stage WHERE id = NEW.stage_id;
  IF NEW.decided_by_id IN (request.requester_id, request.beneficiary_id) THEN
    RAISE EXCEPTION 'nobody decides on their own request' USING ERRCODE = 'check_violation';
  END IF;
  IF asked.request_id <> NEW.request_id OR asked.version <> request.version OR NEW.version <> request.version OR NEW.plan_hash <> request.plan_hash THEN
    RAISE EXCEPTION 'the decision is about another version or plan' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER four_eyes BEFORE INSERT ON decision FOR EACH ROW EXECUTE FUNCTION four_eyes();

-- Nothing is executed that was not approved: the move itself looks for the decisions.
CREATE FUNCTION approved_by_decisions() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM stage s WHERE s.request_id = NEW.id AND s.version = NEW.version)
     OR EXISTS (SELECT FROM stage s LEFT JOIN decision d ON d.stage_id = s.id AND d.verdict = 'approve' AND d.plan_hash = NEW.plan_hash
                WHERE s.request_id = NEW.id AND s.version = NEW.version AND d.id IS NULL) THEN
    RAISE EXCEPTION 'a stage of this version has no approval of this plan' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER approved_by_decisions BEFORE UPDATE OF state ON onboarding_request
  FOR EACH ROW WHEN (NEW.state = 'approved' AND OLD.state <> 'approved') EXECUTE FUNCTION approved_by_decisions();

-- The plan of a request that was submitted does not change without a new version, and none comes once it was approved: the worker
-- compares a plan with its hash only, so this is what makes the hash the approved one.
CREATE FUNCTION submitted_is_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'draft' AND (NEW.requester_id, NEW.beneficiary_id, NEW.organisation_id)
                              IS DISTINCT FROM (OLD.requester_id, OLD.beneficiary_id, OLD.organisation_id) THEN
    RAISE EXCEPTION 'who asked for whom does not change' USING ERRCODE = 'check_violation';  -- four eyes stand on it
  END IF;
  IF OLD.state <> 'draft' AND NEW.version = OLD.version AND (NEW.plan_hash, NEW.plan) IS DISTINCT FROM (OLD.plan_hash, OLD.plan) THEN
    RAISE EXCEPTION 'a plan changes only with the version' USING ERRCODE = 'check_violation';
  END IF;
  IF OLD.state NOT IN ('draft', 'waiting_approval', 'returned')
     AND (NEW.version, NEW.plan_hash, NEW.plan) IS DISTINCT FROM (OLD.version, OLD.plan_hash, OLD.plan) THEN
    RAISE EXCEPTION 'what was decided does not change any more' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER submitted_is_fixed BEFORE UPDATE ON onboarding_request FOR EACH ROW EXECUTE FUNCTION submitted_is_fixed();

-- A request from which nothing will come keeps no private address, whoever ended it (the region's people never see that row).
CREATE FUNCTION erase_private_address() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  UPDATE activation_contact SET address = NULL, salt = NULL WHERE request_id = NEW.id;
  RETURN NULL;
END $$;
CREATE TRIGGER erase_private_address AFTER UPDATE OF state ON onboarding_request
  FOR EACH ROW WHEN (NEW.state IN ('refused','withdrawn','expired','cancelled')) EXECUTE FUNCTION erase_private_address();

-- The worker links the account that it made to the person it was made for, never a second one and never to somebody with a regional role.
CREATE FUNCTION first_account_only() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF session_user = 'nastup_worker' AND (EXISTS (SELECT FROM login_account WHERE person_id = NEW.person_id AND subject <> NEW.subject)
     OR EXISTS (SELECT FROM regional_role WHERE person_id = NEW.person_id)
     OR NOT EXISTS (SELECT FROM onboarding_request WHERE beneficiary_id = NEW.person_id AND state = 'running')) THEN
    RAISE EXCEPTION 'the worker may link the first account of an approved beneficiary only' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER first_account_only BEFORE INSERT OR UPDATE ON login_account FOR EACH ROW EXECUTE FUNCTION first_account_only();

-- 5 Wake the dispatcher ---------------------------------------------------------------------------------------------
CREATE FUNCTION wake() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('nastup', TG_TABLE_NAME); RETURN NULL; END $$;
CREATE TRIGGER wake AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION wake();
CREATE TRIGGER wake AFTER INSERT ON letter FOR EACH STATEMENT EXECUTE FUNCTION wake();
CREATE TRIGGER wake AFTER INSERT ON lookup FOR EACH STATEMENT EXECUTE FUNCTION wake();

-- 6 Rows: forced, for everybody but a superuser -----------------------------------------------------------------------
DO $$ DECLARE name text; BEGIN
  FOREACH name IN ARRAY ARRAY['person','login_account','regional_role','organisation','organisation_role','employment','reserved_name','onboarding_request',
      'request_version','stage','decision','outbox','effect','attempt','lease','audit','activation_contact','letter','lookup','secret'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY; ALTER TABLE %1$I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY owner ON %I TO nastup_owner USING (true) WITH CHECK (true)', name);
    IF name <> 'secret' THEN EXECUTE format('CREATE POLICY worker ON %I TO nastup_worker USING (true) WITH CHECK (true)', name); END IF;
  END LOOP;
END $$;
CREATE POLICY reader ON secret USING (current_user = ANY (readers)) WITH CHECK (current_user = ANY (readers));

CREATE POLICY portal ON organisation FOR SELECT TO nastup_portal USING (id IN (SELECT asking_organisations()) OR (SELECT asking_regional()));
CREATE POLICY portal ON person FOR SELECT TO nastup_portal USING (asking_knows(id));
CREATE POLICY portal_new ON person FOR INSERT TO nastup_portal WITH CHECK (asking_person() IS NOT NULL);
CREATE POLICY portal_self ON person FOR UPDATE TO nastup_portal USING (id = asking_person()) WITH CHECK (id = asking_person());
CREATE POLICY portal ON login_account FOR SELECT TO nastup_portal USING (person_id = asking_person() OR (SELECT asking_regional()));
CREATE POLICY portal ON regional_role FOR SELECT TO nastup_portal USING (asking_person() IS NOT NULL);
CREATE POLICY portal ON organisation_role FOR SELECT TO nastup_portal
  USING (person_id = asking_person() OR organisation_id IN (SELECT asking_organisations()) OR (SELECT asking_regional()));
CREATE POLICY portal ON employment TO nastup_portal
  USING (organisation_id IN (SELECT asking_organisations()) OR (SELECT asking_regional()))
  WITH CHECK (organisation_id IN (SELECT asking_organisations()) OR (SELECT asking_regional()));
CREATE POLICY portal_new ON reserved_name FOR INSERT TO nastup_portal WITH CHECK (asking_knows(person_id));
CREATE POLICY portal_free ON reserved_name FOR DELETE TO nastup_portal USING (asking_knows(person_id));
CREATE POLICY portal ON reserved_name FOR SELECT TO nastup_portal USING (asking_knows(person_id));

-- Director and deputy see all requests of the organisation, a clerk their own, the region everything that was submitted.
CREATE POLICY portal ON onboarding_request TO nastup_portal
  USING ((organisation_id IN (SELECT asking_organisations()) AND requester_id = asking_person())
    OR (state <> 'draft' AND organisation_id IN (SELECT asking_organisations('{director,deputy}')))
    OR (state <> 'draft' AND submitted_at IS NOT NULL AND (SELECT asking_regional())))
  WITH CHECK (organisation_id IN (SELECT asking_organisations()) OR (SELECT asking_regional()));
CREATE POLICY portal ON request_version TO nastup_portal USING (request_id IN (SELECT id FROM onboarding_request)) WITH CHECK (by_id = asking_person());
CREATE POLICY portal ON stage TO nastup_portal USING (request_id IN (SELECT id FROM onboarding_request)) WITH CHECK (request_id IN (SELECT id FROM onboarding_request));
CREATE POLICY portal ON decision FOR SELECT TO nastup_portal USING (request_id IN (SELECT id FROM onboarding_request));
CREATE POLICY portal_new ON decision FOR INSERT TO nastup_portal 
  WITH CHECK (decided_by_id = asking_person() AND rule IS NULL AND EXISTS (SELECT FROM stage s WHERE s.id = stage_id AND asking_regional(ARRAY[s.group_name])));
CREATE POLICY portal ON outbox TO nastup_portal USING (request_id IN (SELECT id FROM onboarding_request)) WITH CHECK (request_id IN (SELECT id FROM onboarding_request));
CREATE POLICY portal ON effect FOR SELECT TO nastup_portal USING (request_id IN (SELECT id FROM onboarding_request));
CREATE POLICY portal ON attempt FOR SELECT TO nastup_portal USING (effect_id IN (SELECT id FROM effect));
CREATE POLICY portal ON lease FOR SELECT TO nastup_portal USING (request_id IN (SELECT id FROM onboarding_request));
CREATE POLICY portal_read ON audit FOR SELECT TO nastup_portal USING (asking_regional('{auditor}'));
CREATE POLICY portal_new ON audit FOR INSERT TO nastup_portal WITH CHECK (actor_id = asking_person());
-- The private address is for those who file for the organisation, never for the region.
CREATE POLICY portal ON activation_contact TO nastup_portal
  USING (request_id IN (SELECT id FROM onboarding_request WHERE organisation_id IN (SELECT asking_organisations())))
  WITH CHECK (request_id IN (SELECT id FROM onboarding_request WHERE organisation_id IN (SELECT asking_organisations())));
CREATE POLICY portal ON letter TO nastup_portal USING (request_id IN (SELECT id FROM onboarding_request)) WITH CHECK (request_id IN (SELECT id FROM onboarding_request));
CREATE POLICY portal ON lookup TO nastup_portal USING (asked_by_id = asking_person()) WITH CHECK (asked_by_id = asking_person());

-- How far an activation is, without the address: for the region's pages.
CREATE VIEW activation_progress AS
  SELECT c.request_id, c.state, c.links_sent, c.sent_at, c.expires_at, c.ended_at, c.second_factors FROM activation_contact c
  WHERE asking_regional() OR EXISTS (SELECT FROM onboarding_request q WHERE q.id = c.request_id AND q.organisation_id IN (SELECT asking_organisations()));

-- 7 Rights ------------------------------------------------------------------------------------------------------------
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO nastup_portal, nastup_worker, nastup_backup_agent, nastup_store_agent;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT EXECUTE ON FUNCTION asking_person, asking_regional, asking_organisations, asking_knows, person_of, name_taken, personal_number_taken, managed_domains, next_number TO nastup_portal;
GRANT EXECUTE ON FUNCTION asking_person, asking_regional, asking_organisations, asking_knows TO nastup_worker;

GRANT SELECT ON person, login_account, regional_role, organisation, organisation_role, employment, onboarding_request, request_version, stage, decision,
  effect, attempt, lease, outbox, activation_contact, letter, lookup, reserved_name, audit, legal_move TO nastup_portal;
GRANT INSERT ON person, employment, reserved_name, onboarding_request, request_version, stage, decision, outbox, audit, activation_contact, letter, lookup TO nastup_portal;
GRANT UPDATE (language) ON person TO nastup_portal;
GRANT UPDATE (state) ON employment TO nastup_portal;
GRANT UPDATE ON onboarding_request, activation_contact TO nastup_portal;
GRANT UPDATE (state) ON stage TO nastup_portal;
GRANT DELETE ON reserved_name TO nastup_portal;
GRANT SELECT, INSERT, UPDATE, DELETE ON web_session, logout_token TO nastup_portal;
GRANT SELECT ON activation_progress TO nastup_portal;

-- No INSERT on regional_role, organisation_role, stage or decision: nothing that the worker can do is an approval.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO nastup_worker;
REVOKE SELECT ON web_session, logout_token FROM nastup_worker;
GRANT INSERT ON login_account, effect, attempt, lease, outbox, audit, letter, activation_contact, secret TO nastup_worker;
GRANT UPDATE ON effect, lease, outbox, letter, lookup, activation_contact, secret TO nastup_worker;
GRANT UPDATE (state, sentence, detail, owner, next_try, changed_at, done_at, generation, cancel_asked) ON onboarding_request TO nastup_worker;
GRANT UPDATE (state) ON employment TO nastup_worker;
GRANT DELETE ON effect, lease TO nastup_worker;
GRANT DELETE ON reserved_name TO nastup_worker;
GRANT DELETE ON web_session, logout_token, lookup TO nastup_worker;
GRANT SELECT, UPDATE ON secret TO nastup_backup_agent, nastup_store_agent;
