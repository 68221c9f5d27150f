-- Who may decide, counted on humans; when a stage and a request are approved; and what a decision must fulfil whatever the program does.

-- 1 One human -------------------------------------------------------------------------------------------------------
-- Two rows of `person` that region-it said are one human have the same end of the chain. NULL is nobody.
CREATE FUNCTION human(wanted uuid) RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ WITH RECURSIVE up(person, depth) AS (
     SELECT wanted, 0 UNION ALL SELECT s.same_as_id, up.depth + 1 FROM same_human s JOIN up ON s.person_id = up.person WHERE up.depth < 20)
   SELECT person FROM up ORDER BY depth DESC LIMIT 1 $$;

CREATE FUNCTION link_is_sound() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(2026112601);  -- two links at once could close a circle
  NEW.at := clock_timestamp();  -- after the wait: decisions that it waited for are older
  IF human(NEW.person_id) = human(NEW.same_as_id) THEN
    RAISE EXCEPTION 'these two are one human already' USING ERRCODE = 'check_violation';
  END IF;
  IF human(NEW.linked_by_id) IN (human(NEW.person_id), human(NEW.same_as_id)) THEN
    RAISE EXCEPTION 'nobody links their own accounts' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER link_is_sound BEFORE INSERT ON same_human FOR EACH ROW EXECUTE FUNCTION link_is_sound();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON same_human FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A chain of deputies that comes back to its beginning would leave nobody.
CREATE FUNCTION absence_has_no_circle() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(2026112602);
  IF EXISTS (
    WITH RECURSIVE chain(person, from_day, until_day, depth) AS (  -- somebody may be away more than once in that time, with another deputy each
      SELECT NEW.deputy_id, NEW.from_day, NEW.until_day, 0
      UNION ALL
      SELECT a.deputy_id, greatest(a.from_day, c.from_day), least(a.until_day, c.until_day), c.depth + 1
        FROM chain c JOIN absence a ON human(a.person_id) = human(c.person) AND a.from_day <= c.until_day AND a.until_day >= c.from_day
       WHERE a.group_name = NEW.group_name AND a.cancelled_at IS NULL AND a.deputy_id IS NOT NULL AND a.id <> NEW.id AND c.depth < 20)
    SELECT FROM chain WHERE human(person) = human(NEW.person_id)) THEN
    RAISE EXCEPTION 'the deputies form a circle' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER absence_has_no_circle BEFORE INSERT OR UPDATE OF deputy_id, from_day, until_day ON absence
  FOR EACH ROW EXECUTE FUNCTION absence_has_no_circle();

-- 2 Who may decide a stage -----------------------------------------------------------------------------------------
-- Members of the group, and deputies of those who are absent today; never the requester, the beneficiary, or (where the policy says so)
-- somebody who answered another stage of the same version, by themselves or for somebody else. `away`: absent today, may still decide.
CREATE FUNCTION today() RETURNS date LANGUAGE sql STABLE AS $$ SELECT (now() AT TIME ZONE 'Europe/Prague')::date $$;

CREATE FUNCTION members_of(wanted text) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT DISTINCT r.person_id FROM regional_role r WHERE r.role = wanted AND r.valid_from <= today() AND (r.valid_until IS NULL OR r.valid_until >= today()) $$;

CREATE FUNCTION candidates(wanted text, with_deputies boolean) RETURNS TABLE (person_id uuid, deputised_for_id uuid, away boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
  WITH absent AS (
    SELECT a.person_id, a.deputy_id FROM absence a
     WHERE a.group_name = wanted AND a.cancelled_at IS NULL AND a.from_day <= today() AND a.until_day >= today())
  SELECT m, NULL::uuid, EXISTS (SELECT FROM absent a WHERE a.person_id = m) FROM members_of(wanted) m
  UNION
  SELECT a.deputy_id, a.person_id, EXISTS (SELECT FROM absence too WHERE too.person_id = a.deputy_id AND too.cancelled_at IS NULL
                                             AND too.from_day <= today() AND too.until_day >= today()) FROM absent a
   WHERE with_deputies AND a.deputy_id IS NOT NULL AND a.person_id IN (SELECT members_of(wanted))
     AND EXISTS (SELECT FROM regional_role r WHERE r.person_id = a.deputy_id AND r.valid_from <= today() AND (r.valid_until IS NULL OR r.valid_until >= today()))
$$;

-- Those whose answers count for this stage or another one of the same version.
CREATE FUNCTION answered(wanted stage) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
  SELECT human(who) FROM decision d JOIN stage s ON d.stage_id = coalesce(s.carried_from_id, s.id)
   CROSS JOIN LATERAL (VALUES (d.decided_by_id), (d.deputised_for_id)) v(who)
   WHERE s.request_id = wanted.request_id AND s.version = wanted.version AND who IS NOT NULL
     AND (s.id = wanted.id OR (wanted.different_people AND s.different_people))
$$;

CREATE FUNCTION eligible_deciders(wanted uuid) RETURNS TABLE (person_id uuid, deputised_for_id uuid, away boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
  SELECT c.person_id, c.deputised_for_id, c.away
    FROM stage s JOIN onboarding_request q ON q.id = s.request_id CROSS JOIN LATERAL candidates(s.group_name, s.deputies) c
   WHERE s.id = wanted
     AND human(c.person_id) NOT IN (human(q.requester_id), coalesce(human(q.beneficiary_id), human(q.requester_id)))
     AND (c.deputised_for_id IS NULL
          OR human(c.deputised_for_id) NOT IN (human(c.person_id), human(q.requester_id), coalesce(human(q.beneficiary_id), human(q.requester_id))))
     AND human(c.person_id) NOT IN (SELECT answered(s))
     AND (c.deputised_for_id IS NULL OR human(c.deputised_for_id) NOT IN (SELECT answered(s)))
$$;

-- Whom the asking person stands in for today, by group.
CREATE FUNCTION asking_stands_in() RETURNS TABLE (group_name text, person_id uuid) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT a.group_name, a.person_id FROM absence a WHERE a.deputy_id = asking_person() AND asking_regional() AND a.cancelled_at IS NULL
     AND a.from_day <= today() AND a.until_day >= today() AND a.person_id IN (SELECT members_of(a.group_name)) $$;

-- Stages of a version whose approval counts no more, because people who counted as two turned out to be one human (a link made meanwhile):
-- somebody who approved is the requester or the beneficiary, or answered earlier in the same version.
CREATE FUNCTION void_approvals(wanted uuid) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
  WITH said AS (
    SELECT s.id AS stage, s.different_people, d.id, d.at, human(who) AS human, human(q.requester_id) AS asked_by, human(q.beneficiary_id) AS asked_for
      FROM onboarding_request q JOIN stage s ON s.request_id = q.id AND s.version = q.version
      JOIN decision d ON d.stage_id = coalesce(s.carried_from_id, s.id) AND d.verdict = 'approve'
     CROSS JOIN LATERAL (VALUES (d.decided_by_id), (d.deputised_for_id)) v(who)
     WHERE q.id = wanted AND who IS NOT NULL)
  SELECT DISTINCT later.stage FROM said later
   WHERE later.human IN (later.asked_by, later.asked_for)
      OR EXISTS (SELECT FROM said earlier WHERE earlier.human = later.human AND earlier.id <> later.id AND (earlier.at, earlier.id) < (later.at, later.id)
                  AND (earlier.stage = later.stage OR (earlier.different_people AND later.different_people))) $$;

-- Held until the end of the transaction while an approval is made: the policy in force, who is one human, and what the organisation has left.
-- Whoever changes one of them waits, and whoever comes second sees what the first did; two approvals cannot share the last place.
CREATE FUNCTION hold_still(wanted_organisation uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  PERFORM FROM policy WHERE active FOR SHARE;
  PERFORM pg_advisory_xact_lock_shared(2026112601);
  PERFORM FROM organisation WHERE id = wanted_organisation FOR NO KEY UPDATE;
END $$;

-- 3 A decision, the last line ----------------------------------------------------------------------------------------
CREATE OR REPLACE FUNCTION four_eyes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE request onboarding_request; asked stage;
BEGIN
  SELECT * INTO request FROM onboarding_request WHERE id = NEW.request_id FOR SHARE;
  SELECT * INTO asked FROM stage WHERE id = NEW.stage_id FOR SHARE;
  -- a link of two accounts or the end of an absence that is under way is waited for, and the next one waits for this decision
  PERFORM pg_advisory_xact_lock_shared(2026112601);
  PERFORM FROM absence WHERE person_id = NEW.deputised_for_id AND deputy_id = NEW.decided_by_id FOR SHARE;
  IF human(NEW.decided_by_id) IN (human(request.requester_id), human(request.beneficiary_id)) THEN
    RAISE EXCEPTION 'nobody decides on their own request' USING ERRCODE = 'check_violation';
  END IF;
  IF asked.request_id <> NEW.request_id OR asked.version <> request.version OR NEW.version <> request.version OR NEW.plan_hash <> request.plan_hash THEN
    RAISE EXCEPTION 'the decision is about another version or plan' USING ERRCODE = 'check_violation';
  END IF;
  IF asked.state <> 'open' OR request.state <> 'waiting_approval' THEN
    RAISE EXCEPTION 'nobody is asked' USING ERRCODE = 'check_violation';
  END IF;
  IF asked.opinion <> (NEW.verdict = 'opinion') THEN
    RAISE EXCEPTION 'an opinion is given where one is asked for, and nowhere else' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.rule IS NULL AND NOT EXISTS (SELECT FROM eligible_deciders(NEW.stage_id) e
       WHERE e.person_id = NEW.decided_by_id AND e.deputised_for_id IS NOT DISTINCT FROM NEW.deputised_for_id) THEN
    RAISE EXCEPTION 'this person may not decide this stage' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.rule IS NOT NULL AND (NEW.verdict <> 'approve' OR request.policy_hash IS DISTINCT FROM NEW.policy_hash
       OR NOT EXISTS (SELECT FROM policy p WHERE p.hash = NEW.policy_hash AND p.active AND p.standard_hires)
       OR (request.facts->>'privileged')::boolean IS DISTINCT FROM false OR (request.facts->>'above_envelope')::boolean IS DISTINCT FROM false) THEN
    RAISE EXCEPTION 'no rule may approve this' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

-- An approval that is carried over counts only while its inputs are the same.
CREATE FUNCTION stage_is_approved(asked stage) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
  SELECT count(*) FILTER (WHERE d.verdict = 'approve') >= CASE WHEN bool_or(d.rule IS NOT NULL) THEN 1 ELSE asked.deciders END
     AND coalesce(bool_and(d.verdict = 'approve'), false)
    FROM onboarding_request q LEFT JOIN stage o ON o.id = asked.carried_from_id
    LEFT JOIN decision d ON d.stage_id = coalesce(asked.carried_from_id, asked.id) AND d.plan_hash = q.plan_hash
   WHERE q.id = asked.request_id
     AND (asked.carried_from_id IS NULL OR (o.request_id = asked.request_id AND o.inputs_hash <> '' AND o.inputs_hash = asked.inputs_hash)) $$;

CREATE OR REPLACE FUNCTION approved_by_decisions() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM stage s WHERE s.request_id = NEW.id AND s.version = NEW.version AND NOT s.opinion)
     OR EXISTS (SELECT FROM stage s WHERE s.request_id = NEW.id AND s.version = NEW.version AND NOT s.opinion AND NOT stage_is_approved(s))
     OR EXISTS (SELECT FROM void_approvals(NEW.id)) THEN
    RAISE EXCEPTION 'a stage of this version has no approval of this plan' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

-- What a stage asks does not change: only how far it is, who holds it, and the group when nobody of the first one is left.
CREATE FUNCTION stage_is_fixed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF (NEW.request_id, NEW.version, NEW.position, NEW.step, NEW.deciders, NEW.opinion, NEW.different_people, NEW.deputies, NEW.inputs_hash, NEW.fallback_group)
     IS DISTINCT FROM (OLD.request_id, OLD.version, OLD.position, OLD.step, OLD.deciders, OLD.opinion, OLD.different_people, OLD.deputies, OLD.inputs_hash, OLD.fallback_group) THEN
    RAISE EXCEPTION 'what a stage asks does not change' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.group_name <> OLD.group_name AND ((NEW.group_name IS DISTINCT FROM OLD.fallback_group AND NEW.group_name IS DISTINCT FROM OLD.fallback_from)
     OR (SELECT count(*) FROM (SELECT DISTINCT human(e.person_id) FROM eligible_deciders(OLD.id) e WHERE NOT e.away) x)
        >= OLD.deciders - (SELECT count(*) FROM decision d WHERE d.stage_id = OLD.id)) THEN
    RAISE EXCEPTION 'the group has somebody who may decide' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER stage_is_fixed BEFORE UPDATE ON stage FOR EACH ROW EXECUTE FUNCTION stage_is_fixed();

-- Facts and policy belong to the version like the plan does.
CREATE OR REPLACE FUNCTION submitted_is_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'draft' AND (NEW.requester_id, NEW.beneficiary_id, NEW.organisation_id)
                              IS DISTINCT FROM (OLD.requester_id, OLD.beneficiary_id, OLD.organisation_id) THEN
    RAISE EXCEPTION 'who asked for whom does not change' USING ERRCODE = 'check_violation';  -- four eyes stand on it
  END IF;
  IF OLD.state <> 'draft' AND NEW.version = OLD.version
     AND (NEW.plan_hash, NEW.plan, NEW.facts, NEW.policy_hash) IS DISTINCT FROM (OLD.plan_hash, OLD.plan, OLD.facts, OLD.policy_hash) THEN
    RAISE EXCEPTION 'a plan changes only with the version' USING ERRCODE = 'check_violation';
  END IF;
  IF OLD.state NOT IN ('draft', 'waiting_approval', 'returned')
     AND (NEW.version, NEW.plan_hash, NEW.plan) IS DISTINCT FROM (OLD.version, OLD.plan_hash, OLD.plan) THEN
    RAISE EXCEPTION 'what was decided does not change any more' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

-- A rule's approval: the portal may ask for it, the trigger above decides whether it may be. No person stands behind it.
CREATE FUNCTION approve_by_rule(wanted_stage uuid, wanted_rule text) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE made uuid;
BEGIN
  INSERT INTO decision (id, stage_id, request_id, version, plan_hash, verdict, rule, policy_hash)
  SELECT gen_random_uuid(), s.id, s.request_id, s.version, q.plan_hash, 'approve', wanted_rule, q.policy_hash
    FROM stage s JOIN onboarding_request q ON q.id = s.request_id
   WHERE s.id = wanted_stage AND NOT s.opinion AND q.requester_id = asking_person()
  RETURNING id INTO made;
  RETURN made;
END $$;

-- 4 Envelope: what is promised to an organisation already, without one request. Only what was approved counts. ----------------
CREATE FUNCTION envelope_used(wanted uuid, besides uuid) RETURNS TABLE (people bigint, mail_gb bigint) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
  SELECT (SELECT count(*) FROM employment e WHERE e.organisation_id = wanted AND (e.state = 'active' OR (e.state = 'planned' AND EXISTS (
            SELECT FROM onboarding_request q WHERE q.beneficiary_id = e.person_id AND q.organisation_id = wanted AND q.id IS DISTINCT FROM besides
              AND q.state IN ('approved','running','prepared','waiting_retry','needs_attention','done'))))),
         (SELECT coalesce(sum((q.plan->'mailbox'->>'quota_bytes')::bigint >> 30), 0)::bigint FROM onboarding_request q WHERE q.organisation_id = wanted
            AND q.id IS DISTINCT FROM besides AND q.state IN ('approved','running','prepared','waiting_retry','needs_attention','done')) $$;

-- 5 How long it took with others: seconds from submission to the last approval of the newest 200 of that kind, whosever they were. ------
CREATE FUNCTION decided_within(wanted text) RETURNS TABLE (n bigint, median double precision, most double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
  SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds), percentile_cont(0.9) WITHIN GROUP (ORDER BY seconds) FROM (
    SELECT extract(epoch FROM (SELECT max(s.ended_at) FROM stage s WHERE s.request_id = q.id AND s.version = q.version AND s.state = 'approved') - q.created_at)
             ::double precision AS seconds
      FROM (SELECT id, version, min_at AS created_at FROM (
              SELECT r.id, r.version, (SELECT min(v.at) FROM request_version v WHERE v.request_id = r.id) AS min_at FROM onboarding_request r
               WHERE r.kind = wanted AND r.state IN ('approved','running','prepared','waiting_retry','needs_attention','done')
               ORDER BY r.submitted_at DESC LIMIT 200) newest) q) measured WHERE seconds IS NOT NULL $$;

-- 5b The audit -----------------------------------------------------------------------------------------------------------
-- The position is given out under the lock, one more than the last: an identity's number is drawn before the lock is waited for, so of two
-- writers the later number could come first, and the record after them would chain to the wrong one (seen with twelve writers).
CREATE OR REPLACE FUNCTION chain_audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(2026112301);
  NEW.at := clock_timestamp();
  SELECT position + 1, hash INTO NEW.position, NEW.previous_hash FROM audit ORDER BY position DESC LIMIT 1;
  NEW.position := coalesce(NEW.position, 1);
  NEW.previous_hash := coalesce(NEW.previous_hash, repeat('0', 64));
  NEW.hash := encode(sha256(convert_to(audit_text(NEW), 'UTF8')), 'hex');
  RETURN NEW;
END $$;

-- Who may take the evidence of a request away: the auditor, those who decide for the region, the director of its organisation.
CREATE FUNCTION asking_may_prove(wanted uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT EXISTS (SELECT FROM onboarding_request q WHERE q.id = wanted AND q.submitted_at IS NOT NULL
     AND (asking_regional('{auditor,founder,region-it,security}') OR q.organisation_id IN (SELECT asking_organisations('{director}')))) $$;
-- Its records with the facts as they were hashed, and the end of the chain as it is now.
CREATE FUNCTION audit_of(wanted uuid) RETURNS TABLE ("position" bigint, at timestamptz, actor_id uuid, actor text, action text, request_id uuid, facts text, previous_hash text, hash text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT a.position, a.at, a.actor_id, a.actor, a.action, a.request_id, a.facts::text, a.previous_hash, a.hash
     FROM audit a WHERE a.request_id = wanted AND asking_may_prove(wanted) ORDER BY a.position $$;
CREATE FUNCTION audit_head() RETURNS TABLE ("position" bigint, at timestamptz, hash text) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT a.position, a.at, a.hash FROM audit a WHERE asking_person() IS NOT NULL ORDER BY a.position DESC LIMIT 1 $$;
CREATE INDEX ix_audit_looked ON audit (position) WHERE action IN ('audit.head_written','audit.broken');  -- the newest stands on the auditor's page
REVOKE EXECUTE ON FUNCTION asking_may_prove, audit_of, audit_head FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_of, audit_head TO nastup_portal;

-- 6 Rows and rights ----------------------------------------------------------------------------------------------------
DO $$ DECLARE name text; BEGIN
  FOREACH name IN ARRAY ARRAY['policy','sample','same_human','absence','saved_filter','closed_day'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY; ALTER TABLE %1$I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY owner ON %I TO nastup_owner USING (true) WITH CHECK (true)', name);
    IF name <> 'saved_filter' THEN EXECUTE format('CREATE POLICY worker ON %I TO nastup_worker USING (true) WITH CHECK (true)', name); END IF;
  END LOOP;
END $$;
CREATE POLICY portal ON policy FOR SELECT TO nastup_portal USING (asking_person() IS NOT NULL);
CREATE POLICY portal ON sample TO nastup_portal USING ((SELECT asking_regional())) WITH CHECK ((SELECT asking_regional()));
CREATE POLICY portal_drawn ON sample FOR INSERT TO nastup_portal
  WITH CHECK (looked_at IS NULL AND EXISTS (SELECT FROM onboarding_request q WHERE q.id = request_id AND q.requester_id = asking_person()));
CREATE POLICY portal ON same_human FOR SELECT TO nastup_portal USING ((SELECT asking_regional()));
CREATE POLICY portal_new ON same_human FOR INSERT TO nastup_portal WITH CHECK (linked_by_id = asking_person() AND asking_regional('{region-it}'));
CREATE POLICY portal ON absence FOR SELECT TO nastup_portal USING ((SELECT asking_regional()));
CREATE POLICY portal_new ON absence FOR INSERT TO nastup_portal WITH CHECK (person_id = asking_person() AND asking_regional(ARRAY[group_name]));
CREATE POLICY portal_end ON absence FOR UPDATE TO nastup_portal USING (person_id = asking_person()) WITH CHECK (person_id = asking_person());
CREATE POLICY portal ON saved_filter TO nastup_portal USING (person_id = asking_person()) WITH CHECK (person_id = asking_person());
CREATE POLICY portal ON closed_day FOR SELECT TO nastup_portal USING (asking_person() IS NOT NULL);
CREATE POLICY portal_set ON closed_day FOR INSERT TO nastup_portal WITH CHECK (set_by_id = asking_person()
  AND (organisation_id IN (SELECT asking_organisations('{director,deputy}')) OR (organisation_id IS NULL AND asking_regional('{region-it}'))));
CREATE POLICY portal_unset ON closed_day FOR DELETE TO nastup_portal
  USING (organisation_id IN (SELECT asking_organisations('{director,deputy}')) OR (organisation_id IS NULL AND asking_regional('{region-it}')));
-- A decider who finds that the world has changed writes the next version; a deputy decides for the group of the absent.
DROP POLICY portal_new ON decision;
CREATE POLICY portal_new ON decision FOR INSERT TO nastup_portal WITH CHECK (decided_by_id = asking_person() AND rule IS NULL AND EXISTS (
  SELECT FROM stage s WHERE s.id = stage_id AND (asking_regional(ARRAY[s.group_name])
    OR (s.group_name, deputised_for_id) IN (SELECT i.group_name, i.person_id FROM asking_stands_in() i))));
DROP POLICY portal ON letter;
CREATE POLICY portal ON letter TO nastup_portal USING (request_id IN (SELECT id FROM onboarding_request))
  WITH CHECK (request_id IN (SELECT id FROM onboarding_request) OR (request_id IS NULL AND asking_regional()));

REVOKE EXECUTE ON FUNCTION human, link_is_sound, absence_has_no_circle, today, members_of, candidates, answered, eligible_deciders, asking_stands_in,
  void_approvals, hold_still, stage_is_approved, stage_is_fixed, approve_by_rule, envelope_used, decided_within FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hold_still, void_approvals TO nastup_portal;
GRANT EXECUTE ON FUNCTION human, today, members_of, candidates, eligible_deciders, asking_stands_in, approve_by_rule, envelope_used, decided_within TO nastup_portal;
GRANT EXECUTE ON FUNCTION human, today, members_of, candidates, eligible_deciders, envelope_used, decided_within TO nastup_worker;
GRANT SELECT ON policy, sample, same_human, absence, saved_filter, closed_day TO nastup_portal;
GRANT INSERT ON sample, same_human, absence, saved_filter, closed_day TO nastup_portal;
GRANT UPDATE (looked_at, looked_by_id, finding, note) ON sample TO nastup_portal;
GRANT UPDATE (cancelled_at, until_day) ON absence TO nastup_portal;
GRANT UPDATE (query) ON saved_filter TO nastup_portal;
GRANT DELETE ON saved_filter, closed_day TO nastup_portal;
GRANT UPDATE (state, holder_id, held_at, ended_at, opened_at, due_at, group_name, fallback_from, nobody) ON stage TO nastup_portal;
-- The dispatcher reminds, escalates and raises the alarm; it can neither open, end nor answer a stage.
GRANT SELECT ON policy, sample, same_human, absence, closed_day TO nastup_worker;
GRANT UPDATE (run_id) ON onboarding_request TO nastup_worker;
GRANT UPDATE (reminded, escalated, group_name, fallback_from, nobody) ON stage TO nastup_worker;
