-- Rules that the database keeps as the program does, where the two had come apart.

-- 1 A day is a day in Prague -----------------------------------------------------------------------------------------
-- CURRENT_DATE is the day of the session's time zone (UTC): after midnight in Prague a role of today did not count here for an hour or two
-- while it did in the program, so its organisation was hidden from the page that was to show it; and one that had ended counted longer.
CREATE OR REPLACE FUNCTION asking_regional(wanted text[] DEFAULT NULL) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT EXISTS (SELECT FROM regional_role r WHERE r.person_id = asking_person()
     AND r.role = ANY (string_to_array(current_setting('nastup.roles', true), ','))
     AND (wanted IS NULL OR r.role = ANY (wanted))
     AND r.valid_from <= today() AND (r.valid_until IS NULL OR r.valid_until >= today())) $$;

CREATE OR REPLACE FUNCTION asking_organisations(wanted text[] DEFAULT NULL) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT r.organisation_id FROM organisation_role r WHERE r.person_id = asking_person()
     AND (wanted IS NULL OR r.role = ANY (wanted))
     AND r.valid_from <= today() AND (r.valid_until IS NULL OR r.valid_until >= today()) $$;

-- 2 The end of an absence closes no circle ---------------------------------------------------------------------------
-- Its deputy may have turned out to be the absent one since (a link made later); to end it is the very way out, so what only grows smaller
-- is not looked at. What comes back from being called off is.
DROP TRIGGER absence_has_no_circle ON absence;
CREATE TRIGGER absence_has_no_circle BEFORE INSERT ON absence FOR EACH ROW EXECUTE FUNCTION absence_has_no_circle();
CREATE TRIGGER absence_that_grew_has_no_circle BEFORE UPDATE OF person_id, group_name, deputy_id, from_day, until_day, cancelled_at ON absence
  FOR EACH ROW WHEN (NEW.cancelled_at IS NULL AND (OLD.cancelled_at IS NOT NULL OR NEW.from_day < OLD.from_day OR NEW.until_day > OLD.until_day
    OR (NEW.person_id, NEW.group_name, NEW.deputy_id) IS DISTINCT FROM (OLD.person_id, OLD.group_name, OLD.deputy_id)))
  EXECUTE FUNCTION absence_has_no_circle();

-- 3 Other names for somebody whose request waits ----------------------------------------------------------------------
-- When a name was given to somebody else meanwhile, the next version is made by whoever decides: they give up what was kept for the
-- beneficiary of that request and write the new address. Before, the old names were kept for ever and the person had the old address.
CREATE FUNCTION renames(person uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT asking_regional() AND EXISTS (SELECT FROM onboarding_request q WHERE q.beneficiary_id = person AND q.state = 'waiting_approval') $$;
REVOKE EXECUTE ON FUNCTION renames FROM PUBLIC;
GRANT EXECUTE ON FUNCTION renames TO nastup_portal;

CREATE POLICY portal_renames ON reserved_name FOR DELETE TO nastup_portal USING (renames(person_id));
CREATE POLICY portal_renames ON person FOR UPDATE TO nastup_portal USING (renames(id)) WITH CHECK (renames(id));
CREATE OR REPLACE FUNCTION names_by_correction_only() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF session_user <> 'nastup_portal' OR corrects(NEW.id) THEN RETURN NEW; END IF;
  -- nothing but the address, and only one that is kept for this very person
  IF renames(NEW.id) AND (NEW.given_name, NEW.family_name, NEW.title_before, NEW.title_after) IS NOT DISTINCT FROM (OLD.given_name, OLD.family_name, OLD.title_before, OLD.title_after)
     AND EXISTS (SELECT FROM reserved_name r WHERE r.kind = 'address' AND r.name = lower(NEW.email) AND r.person_id = NEW.id) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a name changes by a correction of a returned request only' USING ERRCODE = 'insufficient_privilege';
END $$;

-- 4 A question that goes to the fallback is in nobody's hand there -----------------------------------------------------
GRANT UPDATE (holder_id, held_at) ON stage TO nastup_worker;
-- and the group that was asked first may always have its question back.
CREATE OR REPLACE FUNCTION stage_is_fixed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF (NEW.request_id, NEW.version, NEW.position, NEW.step, NEW.deciders, NEW.opinion, NEW.different_people, NEW.deputies, NEW.inputs_hash, NEW.fallback_group)
     IS DISTINCT FROM (OLD.request_id, OLD.version, OLD.position, OLD.step, OLD.deciders, OLD.opinion, OLD.different_people, OLD.deputies, OLD.inputs_hash, OLD.fallback_group) THEN
    RAISE EXCEPTION 'what a stage asks does not change' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.group_name = OLD.group_name OR (NEW.group_name = OLD.fallback_from AND NEW.fallback_from IS NULL) THEN
    RETURN NEW;
  END IF;
  IF NEW.group_name IS DISTINCT FROM OLD.fallback_group
     OR (SELECT count(*) FROM (SELECT DISTINCT human(e.person_id) FROM eligible_deciders(OLD.id) e WHERE NOT e.away) x)
        >= OLD.deciders - (SELECT count(*) FROM decision d WHERE d.stage_id = OLD.id) THEN
    RAISE EXCEPTION 'the group has somebody who may decide' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
