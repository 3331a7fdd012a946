#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""netlink-spec.py HEADER SPEC - the header of a generic netlink family and its specification have to
say the same: names, numbers and types. Says what differs."""
import re
import sys

import yaml

TYPES = {"u32": "u32", "u64": "u64", "string": "string", "nest": "nest", "binary": "u64[]"}
found = False


def differ(text):
    global found
    found = True
    print(text)


def header_enums(text):
    """Each enum as {name: (number, the comment's first word)}, in the order of the header."""
    enums = {}
    for name, body in re.findall(r"enum (\w+) \{(.*?)\n\};", text, re.S):
        members, number = {}, 0
        for member, value, comment in re.findall(
                r"^\t(\w+)(?: = (\d+))?,(?:\s*/\* (\S+?)[:;,]?(?: .*)?\*/)?$", body, re.M):
            number = int(value) if value else number
            if not member.startswith("__"):
                members[member] = (number, comment)
            number += 1
        enums[name] = members
    return enums


def constant(*words):
    return "_".join(words).upper().replace("-", "_")


def compare(what, header, wanted):
    """Both are {name: number}."""
    for name in sorted(header.keys() | wanted.keys()):
        if header.get(name) != wanted.get(name):
            differ(f"{what}: {name} is {header.get(name)} in the header, "
                   f"{wanted.get(name)} in the specification")


def check_attributes(family, attrs, enums):
    name = f"{family}_{attrs['name']}_attr"
    header = enums.pop(name, {})
    wanted = {constant(family, "a", attrs["name"], a["name"]): i
              for i, a in enumerate(attrs["attributes"], 1)}
    compare(name, {m: n for m, (n, _) in header.items()}, wanted)
    for a in attrs["attributes"]:
        member = constant(family, "a", attrs["name"], a["name"])
        comment = header.get(member, (0, ""))[1]
        if a["type"] != "pad" and comment != TYPES.get(a["type"]):
            differ(f"{name}: {member} is {comment} in the header, {a['type']} in the specification")


def check_references(spec):
    """Operations name attributes that there are."""
    sets = {s["name"]: {a["name"] for a in s["attributes"]} for s in spec["attribute-sets"]}
    ops = {o["name"]: o for o in spec["operations"]["list"]}
    for op in ops.values():
        if "notify" in op:
            if op["notify"] not in ops:
                differ(f"{op['name']}: there is no {op['notify']}")
            continue
        known = sets.get(op.get("attribute-set"), set())
        parts = [op.get("event", {})] + [op.get(kind, {}).get(way, {})
                                         for kind in ("do", "dump") for way in ("request", "reply")]
        for part in parts:
            for a in part.get("attributes", []):
                if a not in known:
                    differ(f"{op['name']}: there is no attribute {a}")


def main(header_path, spec_path):
    with open(header_path, encoding="utf-8") as f:
        text = f.read()
    with open(spec_path, encoding="utf-8") as f:
        spec = yaml.safe_load(f)
    family = spec["name"]
    enums = header_enums(text)

    if f'FAMILY_NAME\t"{family}"' not in text:
        differ(f"the header has no family {family}")
    groups = re.findall(r'_MCGRP_\w+\t"([^"]+)"', text)
    if groups != [g["name"] for g in spec["mcast-groups"]["list"]]:
        differ(f"the header has the groups {groups}")

    ops = spec["operations"]
    compare("commands", {m: n for m, (n, _) in enums.pop(f"{family}_cmd", {}).items()
                         if m != constant(family, "cmd", "max")},
            {constant(ops["name-prefix"] + o["name"]): i for i, o in enumerate(ops["list"], 1)})
    for attrs in spec["attribute-sets"]:
        members = enums.get(f"{family}_{attrs['name']}_attr", {})
        members.pop(constant(family, "a", attrs["name"], "max"), None)
        check_attributes(family, attrs, enums)
    for d in spec["definitions"]:
        flags = d["type"] == "flags"
        compare(d["name"], {m: n for m, (n, _) in
                            enums.pop(constant(family, d["name"]).lower(), {}).items()},
                {constant(family, d["name"], e["name"]): 1 << i if flags else i
                 for i, e in enumerate(d["entries"])})
    for name in enums:
        differ(f"the specification has no enum {name}")
    check_references(spec)


main(*sys.argv[1:3])
sys.exit(found)
