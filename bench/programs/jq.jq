# The busiest towns, the commonest tags, and each owner's items as one string.
def total: map(.items | map(.count) | add) | add;
[
    (group_by(.owner.town) | map({town: .[0].owner.town, total: total}) | sort_by(-.total, .town) | .[:5]),
    ([.[].tags[]] | group_by(.) | map({(.[0]): length}) | add | to_entries | max_by(.value)),
    (group_by(.owner.name) | map(map(.items[].label | ascii_upcase | ltrimstr("ITEM ")) | join("+") | length)
        | [min, max, add]),
    (map(select(.open) | .items |= map(select(.count > 45) | .count |= tostring)) | map(.items | length) | add),
    ([.[] | tojson | test("tag-(7|77)\"")] | map(select(.)) | length)
]
