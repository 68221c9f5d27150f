-- Rights for a correction: while a request is returned, its author may change the rows of the future colleague, and nobody else's.

CREATE FUNCTION corrects(person uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT EXISTS (SELECT FROM onboarding_request q WHERE q.beneficiary_id = person AND q.requester_id = asking_person() AND q.state = 'returned') $$;

CREATE POLICY portal_corrects ON person FOR UPDATE TO nastup_portal USING (corrects(id)) WITH CHECK (corrects(id));
GRANT UPDATE (given_name, family_name, title_before, title_after, email) ON person TO nastup_portal;
GRANT UPDATE (personal_number, contract, position, manager, starts, ends) ON employment TO nastup_portal;

-- Names belong to people themselves only through a correction: everybody may change their own language, not their own name.
CREATE FUNCTION names_by_correction_only() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $func$
BEGIN
  IF session_user = 'nastup_portal' AND NOT corrects(NEW.id) THEN
    RAISE EXCEPTION 'a name changes by a correction of a returned request only' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $func$;
CREATE TRIGGER names_by_correction_only BEFORE UPDATE OF given_name, family_name, title_before, title_after, email ON person
  FOR EACH ROW EXECUTE FUNCTION names_by_correction_only();

-- The number of the person being corrected is not taken by that person.
DROP FUNCTION personal_number_taken(uuid, text);
CREATE FUNCTION personal_number_taken(wanted_organisation uuid, wanted_number text, besides uuid DEFAULT NULL) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT EXISTS (SELECT FROM employment WHERE organisation_id = wanted_organisation AND personal_number = wanted_number
     AND state IN ('planned','active') AND person_id IS DISTINCT FROM besides) $$;

REVOKE EXECUTE ON FUNCTION corrects, personal_number_taken, names_by_correction_only FROM PUBLIC;
GRANT EXECUTE ON FUNCTION corrects, personal_number_taken TO nastup_portal;

-- Reserved names are given up only with a request from which nothing was made: refused, taken back, or corrected just now.
DROP POLICY portal_free ON reserved_name;
CREATE POLICY portal_free ON reserved_name FOR DELETE TO nastup_portal
  USING (EXISTS (SELECT FROM onboarding_request q WHERE q.beneficiary_id = person_id AND q.state IN ('refused','withdrawn','returned')));

-- How far an activation is shows on the requests that the asking person sees, and on no others. The function runs with that person's rights.
CREATE FUNCTION sees_request(wanted uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS
$$ BEGIN RETURN EXISTS (SELECT FROM onboarding_request q WHERE q.id = wanted); END $$;
CREATE OR REPLACE VIEW activation_progress AS
  SELECT c.request_id, c.state, c.links_sent, c.sent_at, c.expires_at, c.ended_at, c.second_factors FROM activation_contact c
  WHERE sees_request(c.request_id);
REVOKE EXECUTE ON FUNCTION sees_request FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sees_request TO nastup_portal;

-- Upkeep sweeps what nobody needs any more.
GRANT SELECT ON logout_token TO nastup_worker;
