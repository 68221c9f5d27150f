"""`python3 verify.py` checks the evidence in its folder with Python alone: says what is wrong and ends with 1, or that all fits."""

# ruff: noqa - as short as it can be: a stranger reads all of it before running it
# fmt: off
import hashlib, json, pathlib, sys
whole, wrong = json.loads(pathlib.Path(__file__).with_name("evidence.json").read_text("utf-8")), []
sha = lambda text: hashlib.sha256(text.encode()).hexdigest()
of = lambda value: sha(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
must = lambda what, holds: holds or wrong.append(what)
chain, head, rules = whole["audit"]["records"], whole["audit"]["head"], {one["version"]: one["policy"] for one in whole["versions"]}
for one in chain:
    text = "\n".join(one[name] for name in ("previous_hash", "at", "actor_id", "actor", "action", "request_id", "facts"))
    must(f"record {one['position']} is what its hash says, and about this request", sha(text) == one["hash"] and one["request_id"] == whole["request"]["id"])
for one, after in zip(chain, chain[1:]):  # records of other requests may lie between two of this one
    follows = (one["hash"] == after["previous_hash"]) == (one["position"] + 1 == after["position"])
    must(f"record {after['position']} comes after {one['position']}", follows and (one["position"], one["at"]) < (after["position"], after["at"]))
must("the chain ends with the last record or after it", head["position"] > chain[-1]["position"] or head.items() <= chain[-1].items())
told = [{**json.loads(one["facts"]), "action": one["action"], "who": one["actor_id"]} for one in chain]
moves = [one for one in told if one["action"] == "request.moved"]
must("every move begins where the last one ended", [one["from"] for one in moves] + [whole["request"]["state"]] == ["draft"] + [one["to"] for one in moves])
for one in whole["versions"]:  # those without rules are from before there were any
    mine = {"version": one["version"], "content": of(one["content"]), "plan": of(one["plan"]), "policy": one["policy"]}
    must(f"version {one['version']} has its hashes", (mine["content"], mine["plan"]) == (one["content_hash"], one["plan_hash"]))
    must(f"version {one['version']} is named by a record", one["policy"] is None or any(mine.items() <= each.items() for each in told))
    must(f"version {one['version']} has its rules", one["policy"] is None or sha(whole["policies"].get(one["policy"], {"source": ""})["source"]) == one["policy"])
said = [[one["version"], one["stage"], one["verdict"], one["plan_hash"], one["rule"] or one["by"]["id"], rules.get(one["version"]) and of([one["reason"], one["comments"]])] for one in whole["decisions"]]
kept = [[one.get("version"), one["stage"], one["verdict"], one["plan"], one.get("rule") or one["who"], rules.get(one.get("version")) and one.get("words", of(["", {}]))] for one in told if one["action"] == "stage.decided"]
must("every decision is exactly one record", sorted(map(str, said)) == sorted(map(str, kept)))
sys.exit("\n".join(f"Not so: {each}." for each in wrong) or print(f"All fits: {len(chain)} records, {len(said)} decisions. End of the chain: {head['position']} {head['hash']}"))
