-- What a person may read, asked in a way that costs the same with ten thousand requests and with a million. The rows are the same as before.

-- 1 By key ---------------------------------------------------------------------------------------------------------
-- `request_id IN (SELECT id FROM onboarding_request)` first collected everything that the person may see, on every page (2 s at a million).
-- A scalar question by the key is asked for the rows that are read and no others; EXISTS would leave the planner free to collect again.
-- The cheap arms stand first, and what does not depend on the row is asked once in a statement: (SELECT ...).
ALTER POLICY portal ON onboarding_request
  USING ((state <> 'draft' AND submitted_at IS NOT NULL AND (SELECT asking_regional()))
    OR (organisation_id IN (SELECT asking_organisations()) AND requester_id = (SELECT asking_person()))
    OR (state <> 'draft' AND organisation_id IN (SELECT asking_organisations('{director,deputy}'))))
  WITH CHECK ((SELECT asking_regional()) OR organisation_id IN (SELECT asking_organisations()));
ALTER POLICY portal ON request_version USING ((SELECT true FROM onboarding_request q WHERE q.id = request_id));
ALTER POLICY portal ON stage USING ((SELECT true FROM onboarding_request q WHERE q.id = request_id))
  WITH CHECK ((SELECT true FROM onboarding_request q WHERE q.id = request_id));
ALTER POLICY portal ON decision USING ((SELECT true FROM onboarding_request q WHERE q.id = request_id));
ALTER POLICY portal ON outbox USING ((SELECT true FROM onboarding_request q WHERE q.id = request_id))
  WITH CHECK ((SELECT true FROM onboarding_request q WHERE q.id = request_id));
ALTER POLICY portal ON effect USING ((SELECT true FROM onboarding_request q WHERE q.id = request_id));
ALTER POLICY portal ON attempt USING ((SELECT true FROM effect e WHERE e.id = effect_id));
ALTER POLICY portal ON lease USING ((SELECT true FROM onboarding_request q WHERE q.id = request_id));
ALTER POLICY portal ON letter USING ((SELECT true FROM onboarding_request q WHERE q.id = request_id))
  WITH CHECK ((SELECT true FROM onboarding_request q WHERE q.id = request_id) OR (request_id IS NULL AND asking_regional()));
ALTER POLICY portal ON activation_contact
  USING ((SELECT q.organisation_id IN (SELECT asking_organisations()) FROM onboarding_request q WHERE q.id = request_id))
  WITH CHECK ((SELECT q.organisation_id IN (SELECT asking_organisations()) FROM onboarding_request q WHERE q.id = request_id));

-- The region's people and the reader's own row without a look into four tables.
ALTER POLICY portal ON person USING ((SELECT asking_regional()) OR id = (SELECT asking_person()) OR asking_knows(id));
ALTER POLICY portal ON organisation USING ((SELECT asking_regional()) OR id IN (SELECT asking_organisations()));
ALTER POLICY portal ON employment USING ((SELECT asking_regional()) OR organisation_id IN (SELECT asking_organisations()));
ALTER POLICY portal ON organisation_role
  USING ((SELECT asking_regional()) OR person_id = (SELECT asking_person()) OR organisation_id IN (SELECT asking_organisations()));
ALTER POLICY portal ON reserved_name USING ((SELECT asking_regional()) OR asking_knows(person_id));

-- 2 By a part of a name ---------------------------------------------------------------------------------------------
-- Row-level security lets no comparison of texts reach an index before the policy has seen the row, so the index is asked here, for the
-- region's people only, whose policy is repeated below. Answers the requests that may match; NULL = walk through the list, for one of:
-- somebody who sees a part of the requests only, too few letters for an index of three, or a match so frequent that the list soon has it.
CREATE SCHEMA trigrams;
CREATE EXTENSION pg_trgm SCHEMA trigrams;  -- trusted since PostgreSQL 13: the owner of the database may
CREATE FUNCTION request_words(content jsonb, number text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT coalesce(content->>'given_name' || ' ', '') || coalesce(content->>'family_name' || ' ', '') || coalesce(number, '') $$;
CREATE INDEX ix_request_words ON onboarding_request USING gin
  (request_words(content, number) trigrams.gin_trgm_ops, (plan->'account'->>'user_name') trigrams.gin_trgm_ops) WHERE submitted_at IS NOT NULL;

CREATE FUNCTION requests_named(written text, plain text, only_waiting boolean) RETURNS uuid[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public SET enable_seqscan = off AS $$
DECLARE
  frequent CONSTANT integer := 25;  -- of 2000
  most CONSTANT integer := 10000;
  name_like text := '%' || regexp_replace(written, '([\\%_])', '\\\1', 'g') || '%';
  user_like text := CASE WHEN plain <> '' THEN '%' || plain || '%' END;  -- NULL matches nothing
  first text := CASE WHEN only_waiting THEN 'state = ''waiting_approval'' LIMIT 2000'
    ELSE 'submitted_at IS NOT NULL ORDER BY coalesce(submitted_at, created_at) DESC, id DESC LIMIT 2000' END;
  named CONSTANT text := '(request_words(content, number) ILIKE $1 OR plan->''account''->>''user_name'' ILIKE $2)';
  seen integer; found uuid[];
BEGIN
  IF NOT asking_regional() OR length(written) < 3 OR length(plain) IN (1, 2) THEN RETURN NULL; END IF;
  EXECUTE format('SELECT count(*) FROM (SELECT * FROM onboarding_request WHERE %s) near WHERE %s', first, named) INTO seen USING name_like, user_like;
  IF seen >= frequent THEN RETURN NULL; END IF;
  EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM onboarding_request WHERE %s AND submitted_at IS NOT NULL AND state <> ''draft'' '
    'AND (state = ''waiting_approval'' OR NOT $3) LIMIT $4) near', named) INTO found USING name_like, user_like, only_waiting, most + 1;
  RETURN CASE WHEN cardinality(found) > most THEN NULL ELSE coalesce(found, '{}') END;
END $$;
REVOKE EXECUTE ON FUNCTION requests_named, request_words FROM PUBLIC;
GRANT EXECUTE ON FUNCTION requests_named TO nastup_portal;
GRANT EXECUTE ON FUNCTION request_words TO nastup_portal, nastup_worker;  -- whoever writes a row writes its index
