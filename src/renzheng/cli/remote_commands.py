"""What each command does with `--endpoint`, and why some commands do not have it."""

from __future__ import annotations

from itertools import islice
from typing import Any

import typer

from renzheng.cli import remote_people
from renzheng.cli.local import refuse, when
from renzheng.cli.remote import Act, Api, CommandResult, Given

# -- accounts


def _with_names(given: Given) -> dict[str, str]:
    """Convert `--display-name` to the service's parameters."""
    names: dict[str, str] = {}
    for text in given["display_name"] or ():
        language, mark, name = text.partition("=")
        if mark and language in ("zh-CN", "en-US"):
            names["display_name_zh" if language == "zh-CN" else "display_name_en"] = name
        else:
            names |= {"display_name_zh": text, "display_name_en": text}
    return names


def _create_account(api: Api, given: Given) -> Any:
    more = {"origins": given["origin"], "prepaid": given["prepaid"], "active": not given["inactive"]}
    return api.call("CreateAccount", more | _with_names(given), name=given["name"])["account"]


def _accounts(api: Api, given: Given) -> Any:
    return list(api.every("DescribeAccounts", "accounts"))


def _account(api: Api, given: Given) -> Any:
    own = {"account_id": api.find_account(given["account"])["id"]}
    keys = api.every("DescribeKeys", "keys", own)
    listed = [{"secret_id": key["secret_id"], "enabled": key["enabled"]} for key in keys]
    return api.call("DescribeAccount", own)["account"] | {"keys": listed}


def _modify_account(api: Api, own: dict[str, int], change: dict[str, Any]) -> Any:
    action = "ModifyAccount" if change else "DescribeAccount"
    return api.call(action, own | change)["account"]


def _origins(api: Api, given: Given) -> Any:
    change = {"origins": given["origin"] or []} if given["origin"] or given["clear"] else {}
    return _modify_account(api, api.account(given["account"]), change)


def _rename(api: Api, given: Given) -> Any:
    change = _with_names(given) | ({"name": given["name"]} if given["name"] is not None else {})
    if not change:
        refuse("give a new name, or --display-name for the people who see it", 2)
    return _modify_account(api, api.account(given["account"]), change)


def _set_account(api: Api, given: Given) -> Any:
    told = {name: given[name] for name in ("privacy_url", "contact") if given[name] is not None}
    return _modify_account(api, api.account(given["account"]), _with_names(given) | told)


def _standing(account: dict[str, Any]) -> Any:
    return {"account": account["name"], **{name: account[name] for name in ("active", "balance", "billed")}}


def _billing(api: Api, given: Given, **change: Any) -> Any:
    own = api.account(given["account"])
    action = "ModifyAccountBilling" if change else "DescribeAccount"
    return _standing(api.call(action, own | change)["account"])


def _top_up(api: Api, given: Given) -> Any:
    return _standing(api.call("TopUpAccount", api.account(given["account"]), amount=given["amount"])["account"])


def _balance(api: Api, given: Given) -> Any:
    if given["prepaid"] and given["unlimited"]:
        refuse("a balance is either prepaid or unlimited", 2)
    kept = "prepaid" if given["prepaid"] else "unlimited" if given["unlimited"] else None
    return _billing(api, given, **({"billing": kept} if kept else {}))


def _limit(api: Api, given: Given) -> Any:
    own = api.account(given["account"])
    if given["name"] is None:
        return api.call("DescribeAccount", own)["account"]["limits"]
    return api.call("ModifyAccountLimit", own, name=given["name"], limit=given["most"])["account"]["limits"]


# -- keys


def _new_key(api: Api, given: Given, action: str, **more: Any) -> Any:
    bound = {"unsigned_payload": given["unsigned_payload"], "addresses": given["address"] or None}
    made = api.call(action, api.account(given["account"]) | bound, **more)
    return made["key"] | {"secret_key": made["secret_key"], "token": made["token"]}


def _keys(api: Api, given: Given) -> Any:
    return list(api.every("DescribeKeys", "keys", api.account(given["account"])))


def _key(api: Api, given: Given) -> dict[str, Any]:
    listed = api.every("DescribeKeys", "keys", api.account(given["account"]))
    found: dict[str, Any] | None = next((key for key in listed if key["secret_id"] == given["secret_id"]), None)
    return found or refuse(f"there is no key {given['secret_id']}")


def _change_key(api: Api, given: Given, action: str, **change: Any) -> Any:
    """Find the key's account by the key, as on the server's own machine, and change it."""
    one = {"account_id": _key(api, given)["account_id"], "secret_id": given["secret_id"]}
    return api.call(action, one | change)["key"]


def _addresses(api: Api, given: Given) -> Any:
    if not given["network"] and not given["clear"]:
        return _key(api, given)
    return _change_key(api, given, "ModifyKey", addresses=given["network"] or [])


def _services(api: Api, given: Given) -> Any:
    if not given["service"]:
        return _key(api, given)
    return _change_key(api, given, "ModifyKeyScope", services=given["service"])


# -- rules

TERMS = (
    *("threshold", "challenge_length", "step_seconds", "attempts", "attempts_a_day", "evidence_days"),
    *("challenge_kind", "light"),
)


def _create_rule(api: Api, given: Given) -> Any:
    terms = {name: given[name] for name in TERMS if given[name]} | (
        {"attempts_a_day": given["attempts_a_day"]} if given["attempts_a_day"] is not None else {}
    )
    terms["challenge_kinds"] = terms.pop("challenge_kind", None)
    return api.call("CreateRule", api.account(given["account"]) | terms, name=given["name"])["rule"]


def _move_rule(action: str) -> Act:
    def move(api: Api, given: Given) -> Any:
        note = given.get("note") or None
        one = api.account(given["account"])
        return api.call(action, one, rule_id=str(given["rule_id"]), note=note)["rule"]

    return move


def _rules(api: Api, given: Given) -> Any:
    return list(api.every("DescribeRules", "rules", api.account(given["account"])))


def _rule(api: Api, given: Given) -> Any:
    found = [rule for rule in _rules(api, given) if rule["rule_id"] == str(given["rule_id"])]
    return found[0] if found else refuse(f"there is no rule {given['rule_id']}")


# -- buckets


def _authorise(api: Api, given: Given) -> Any:
    from renzheng.cli.bucket import secret_of_key

    if not given["check"]:
        refuse("the service always tries the bucket: leave out --no-check", 2)
    names = ("region", "key_id", "endpoint", "prefix", "style", "public_base", "link_hours")
    told = {name: given[name] or None for name in names}
    if told["endpoint"] is None:
        del told["style"]
    own = api.account(given["account"])
    return api.call("AuthoriseBucket", own | told, bucket=given["name"], key_secret=secret_of_key())["bucket"]


def _bucket(api: Api, given: Given) -> Any:
    found = list(api.every("DescribeBuckets", "buckets", api.account(given["account"])))
    if len(found) != 1:
        refuse("say which account by --account" if found else "the account has authorised no bucket")
    return {**found[0], "authorised": when(found[0].pop("authorised_at"))}


def _check_bucket(api: Api, given: Given) -> Any:
    api.call("CheckBucket", api.account(given["account"]))
    return "written, read and deleted"


def _revoke(api: Api, given: Given) -> Any:
    api.call("RevokeBucket", api.account(given["account"]))
    return "revoked"


# -- the people of the console, audit, verifications


def _add_operator(api: Api, given: Given) -> Any:
    made = api.call("CreateOperator", api.account(given["account"]), name=given["name"], role=given["role"].value)
    told = {
        "name": made["operator"]["name"],
        "role": made["operator"]["role"],
        "account": made["operator"]["account_id"],
        "secret_id": made["secret_id"],
        "link": made["sign_in_link"],
    }
    return told | ({"secret_key": made["secret_key"]} if given["show_key"] else {})


def _modify_operator(api: Api, given: Given) -> Any:
    known = {one["name"]: one["id"] for one in api.every("DescribeOperators", "operators")}
    number = known.get(given["name"]) or refuse(f"there is no operator {given['name']}")
    role = given["role"].value if given["role"] else None
    made = api.call("ModifyOperator", operator_id=number, role=role, disabled=given["disabled"])["operator"]
    return f"{made['name']} is {made['role']}{', disabled' if made['disabled'] else ''}"


def _operators(api: Api, given: Given) -> Any:
    return [
        {"name": one["name"], "role": one["role"], "account": one["account_id"], "disabled": one["disabled"]}
        for one in api.every("DescribeOperators", "operators")
    ]


def _events(api: Api, given: Given) -> Any:
    newest = api.every("DescribeEvents", "events")
    if given["after"] is None:
        return list(islice(newest, given["limit"]))[::-1]
    found = []
    for event in newest:
        if event["id"] <= given["after"]:
            break
        found.append(event)
    return found[::-1][: given["limit"]]


def _verifications(api: Api, given: Given) -> Any:
    names = {one["id"]: one["name"] for one in api.every("DescribeAccounts", "accounts")}
    wanted = api.account(given["account"]) | {"state": given["state"].value if given["state"] else None}
    found: list[dict[str, Any]] = []
    cursor = None if given["before"] is None else str(given["before"])
    while len(found) < given["limit"]:
        most = min(100, given["limit"] - len(found))
        reply = api.call("DescribeVerifications", wanted, limit=most, cursor=cursor)
        found += reply["verifications"]
        cursor = reply["next_cursor"]
        if not cursor:
            break
    return [{**one, "account": names.get(one["account_id"])} for one in found]


def _verification(api: Api, given: Given) -> Any:
    shown = api.call("DescribeVerification", verification_id=given["token"])["verification"]
    first = {"number": shown["id"], "account": shown["account_id"], "state": shown["state"]}
    rest = ("id", "account_id", "state", "created_at", "expires_at", "timeline")
    return (
        first
        | {"created": when(shown["created_at"])}
        | {name: value for name, value in shown.items() if name not in rest}
    )


def _erase(api: Api, given: Given) -> Any:
    if not given["sure"]:
        typer.confirm("The result and all evidence of this verification are erased permanently. Continue?", abort=True)
    erased = api.call("EraseVerification", verification_id=given["token"])
    more = "; what was delivered to the customer's bucket is deleted by the server" if erased["delivered"] else ""
    return f"erased{more}"


def _rejudge(api: Api, given: Given) -> Any:
    made = api.call("RejudgeVerification", verification_id=given["token"])["rejudgement"]
    del made["verification_id"]
    return CommandResult(made | {"same_numbers": not made["changed"]}, int(not made["stands"]))


REMOTE: dict[str, Act] = {
    "account create": _create_account,
    "account list": _accounts,
    "account show": _account,
    "account origins": _origins,
    "account rename": _rename,
    "account set": _set_account,
    "account activate": lambda api, given: _billing(api, given, active=True),
    "account deactivate": lambda api, given: _billing(api, given, active=False),
    "account topup": _top_up,
    "account balance": _balance,
    "account limit": _limit,
    "key create": lambda api, given: _new_key(api, given, "CreateKey"),
    "key temporary": lambda api, given: _new_key(api, given, "CreateTemporaryKey", duration_seconds=given["seconds"]),
    "key list": _keys,
    "key addresses": _addresses,
    "key services": _services,
    "key unsigned-payload": lambda api, given: _change_key(api, given, "ModifyKey", unsigned_payload=given["allow"]),
    "key disable": lambda api, given: _change_key(api, given, "DisableKey"),
    "key enable": lambda api, given: _change_key(api, given, "EnableKey"),
    "rule create": _create_rule,
    "rule submit": _move_rule("SubmitRule"),
    "rule approve": _move_rule("ApproveRule"),
    "rule reject": _move_rule("RejectRule"),
    "rule disable": _move_rule("DisableRule"),
    "rule list": _rules,
    "rule show": _rule,
    "bucket authorise": _authorise,
    "bucket show": _bucket,
    "bucket check": _check_bucket,
    "bucket revoke": _revoke,
    "identity add": remote_people.put,
    "identity import": remote_people.import_,
    "identity list": remote_people.identities,
    "identity remove": remote_people.delete,
    "operator add": _add_operator,
    "operator modify": _modify_operator,
    "operator list": _operators,
    "audit list": _events,
    "session list": _verifications,
    "session show": _verification,
    "session erase": _erase,
    "rejudge": _rejudge,
}
"""What to do, by command. `call` takes any action, and has an option of its own."""

KEYS_HERE = "it reads or makes keys, which never leave a server"
FILES_HERE = "it works on the server's own folders"
PROCESS_HERE = "it is a process of this machine"
CLUSTER = "it talks to the Ray cluster, whose token is not one of our keys"
RECOVERY = "it lets a locked-out person in again, so it works on the server's machine alone"
LOCAL_ONLY: dict[str, str] = {
    "serve": PROCESS_HERE,
    "judge": PROCESS_HERE,
    "engine deploy": CLUSTER,
    "engine status": CLUSTER,
    "engine remove": CLUSTER,
    "demo": PROCESS_HERE,
    "verify": PROCESS_HERE,
    "evaluate": PROCESS_HERE,
    "attack": PROCESS_HERE,
    "replay": PROCESS_HERE,
    "token": "it signs with an account's key that is stored here; elsewhere, call GetFaceIdToken",
    "explain": "it explains a captured request with the SecretKeys that are stored here",
    "key show": "a SecretKey is shown once, when it is made",
    "account own-keys": KEYS_HERE,
    "bucket deliveries": "the service describes one verification's delivery: session show",
    "operator link": RECOVERY,
    "operator reset": RECOVERY,
}
"""Why a command has no `--endpoint`; for a group that has none at all, by the group's name."""
LOCAL_GROUPS: dict[str, str] = {
    "encryption": KEYS_HERE,
    "vault": KEYS_HERE,
    "backup": FILES_HERE,
    "store": FILES_HERE,
    "models": FILES_HERE,
}
