"""What each route answers to each kind of credential: the expected codes, as a table.

`websocket` codes are close codes, 101 for a socket that was admitted; the rest is HTTP. A kind that
a mode does not have is marked with a dash.

The kinds: `none` no credential; `garbage` a text that nobody ever issued; `expired` one that was
good; `audience` one for somebody else's server; `document` one for another document only; `read`,
`write` and `admin` for this document (`admin` for all of them); `revoked` one whose session (of
this document), or itself, was revoked; `several` a good one, twice; `long` more than 4 KiB;
`observer` the token for observers, good for nothing but to look.

The rows `…-off` are of a server without admin routes, and without a token for observers.
"""

KINDS = (
    *("none", "garbage", "expired", "audience", "document", "read", "write", "admin"),
    *("revoked", "several", "long", "observer"),
)

# mode / route                none garbg expir audie docum read  write admin revok sever long  obser
MATRIX = """
none   websocket               101   101   101   101   101   101   101   101   101   101   101   101
none   ticket                  200   200   200   200   200   200   200   200   200   200   200   200
none   admin                   401   401   401     -     -   401   401   200     -   400   400   401
none   admin-off               404   404   404     -     -   404   404   404     -   404   404   404
none   debug                   401   401   401     -     -   401   401   200     -   400   400   200
none   debug-off               200   200   200     -     -   200   200   200     -   400   400   200

token  websocket              4401  4401  4401     -  4403   101   101   101  4401  4400  4400  4401
token  websocket-query        4401  4401  4401     -  4403   101   101   101  4401  4400  4400  4401
token  websocket-subprotocol  4401  4401  4401     -  4403   101   101   101  4401  4400  4400  4401
token  websocket-ticket       4401  4401  4401     -  4401   101   101   101  4401  4400  4400  4401
token  ticket                  401   401   401     -   403   200   200   200   401   400   400   401
token  session                 401   401   401     -   403   200   200   200   401   400   400   401
token  session-of-other        401   401   401     -   403   403   403   403   401   400   400   401
token  session-unknown         401   404   404     -   404   404   404   404   404   400   400   404
token  admin                   401   401   401     -   403   403   403   200   401   400   400   401
token  admin-off               404   404   404     -   404   404   404   404   404   404   404   404
token  debug                   401   401   401     -   403   403   403   200   401   400   400   200
token  debug-off               401   401   401     -   403   403   403   200   401   400   400   401

jwt    websocket              4401  4401  4401  4401  4403   101   101   101  4401  4400  4400  4401
jwt    websocket-query        4401  4401  4401  4401  4403   101   101   101  4401  4400  4400  4401
jwt    websocket-subprotocol  4401  4401  4401  4401  4403   101   101   101  4401  4400  4400  4401
jwt    websocket-ticket       4401  4401  4401     -  4401   101   101   101  4401  4400  4400  4401
jwt    ticket                  401   401   401   401   403   200   200   200   401   400   400   401
jwt    session                 401   401   401   401   403   200   200   200   401   400   400   401
jwt    session-of-other        401   401   401   401   403   403   403   403   401   400   400   401
jwt    session-unknown         401   404   404   404   404   404   404   404   404   400   400   404
jwt    admin                   401   401   401   401   403   403   403   200   403   400   400   401
jwt    admin-off               404   404   404   404   404   404   404   404   404   404   404   404
jwt    debug                   401   401   401   401   403   403   403   200   403   400   400   200
jwt    debug-off               401   401   401   401   403   403   403   200   403   400   400   401

hook   websocket              4401  4401  4401     -  4403   101   101   101  4401  4400  4400  4401
hook   websocket-query        4401  4401  4401     -  4403   101   101   101  4401  4400  4400  4401
hook   websocket-subprotocol  4401  4401  4401     -  4403   101   101   101  4401  4400  4400  4401
hook   websocket-ticket       4401  4401  4401     -  4401   101   101   101  4401  4400  4400  4401
hook   ticket                  401   401   401     -   403   200   200   200   401   400   400   401
hook   session                 401   401   401     -   403   200   200   200   401   400   400   401
hook   session-of-other        401   401   401     -   403   403   403   403   401   400   400   401
hook   session-unknown         401   404   404     -   404   404   404   404   404   400   400   404
hook   admin                   401   401   401     -   403   403   403   200   401   400   400   401
hook   admin-off               404   404   404     -   404   404   404   404   404   404   404   404
hook   debug                   401   401   401     -   403   403   403   200   401   400   400   200
hook   debug-off               401   401   401     -   403   403   403   200   401   400   400   401
"""

# Every admin route, and what it answers to who is let in; everybody else is answered as the rows
# `admin` and `admin-off` say, whatever the route. All are dry runs or lists, of what is not there.
ADMIN_ROUTES = {
    **{
        f"POST /admin/documents/matrix%2Fnone/{act}?dry_run=1": code
        for act, code in {
            "compact": 404,
            "load": 404,
            "unload": 200,
            "read-only": 404,
            "writable": 200,
            "delete": 404,
            "forget": 200,
            "salvage": 404,
            "set-aside": 404,
        }.items()
    },
    "POST /admin/compact-due?dry_run=1": 200,
    "POST /admin/store/read-only?dry_run=1": 200,
    "POST /admin/store/writable?dry_run=1": 200,
    "POST /admin/store/truncate-wal?dry_run=1": 200,
    "POST /admin/store/vacuum?dry_run=1": 200,
    "POST /admin/sessions/none/revoke?dry_run=1": 404,
    "POST /admin/quarantine/999/release?dry_run=1": 404,
    "POST /admin/quarantine/999/discard?dry_run=1": 200,
    "POST /admin/set-aside/999/discard?dry_run=1": 200,
    "GET /admin/audit": 200,
    "GET /admin/sessions": 200,
    "GET /admin/quarantine": 200,
    "GET /admin/quarantine/999": 404,
    "GET /admin/set-aside": 200,
}

# The same for what is looked at, as the rows `debug` and `debug-off` say.
DEBUG_ROUTES = {
    "/debug/me": 200,
    "/debug/storage": 200,
    "/debug/documents": 200,
    "/debug/documents/matrix%2Fnone": 404,
    "/debug/stream": 200,
    "/metrics": 200,
}

CELLS = [
    (mode, route, kind, int(code))
    for mode, route, *codes in map(str.split, filter(None, MATRIX.splitlines()))
    for kind, code in zip(KINDS, codes, strict=True)
    if code != "-"
]

# Routes that ask for nothing, whoever comes.
OPEN_ROUTES = {
    "/health/live": 200,
    "/health/ready": 200,
    "/debug": 200,
    "/openapi.json": 200,
    "/admin": 404,
    "/nothing": 404,
}
