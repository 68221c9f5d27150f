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
