// Package view is what a browser or a command line asks this plane directly:
// events as they pass, the ledger of a workspace, its parked, dead and
// quarantined events, jobs that move them, rows of its warehouses, previews and connection tests.
// The control plane sees none of it.
//
// Every call but health needs a capability in Authorization: signed by the
// control plane, for this plane, one workspace and one action, minutes old. The
// plane's guard is asked too. Browsers are answered only when their origin was
// pinned at join and is the one the capability was made for. There are no
// cookies, so no page can make a browser ask for somebody else. A capability
// for some sources or destinations shows those and nothing of the others.
//
// # The calls
//
// Those about syncs are in package activation below.
//
// Objects are given by name or identifier and come back by name (an identifier
// where the object is gone). Errors are problem details (RFC 9457) with the
// kind of the fault: 400 invalid, 401 no capability, 403 denied, 404 missing,
// 409 conflict, 429 too many at once, 503 not now. Streams are
// application/x-ndjson: a JSON object a line, each sent at once.
//
//	GET  /v1/health                                                     no capability
//	GET  /v1/ledger                                                     ledger:read
//	GET  /v1/arrivals                                                   ledger:read, what came to sources, from view/arrivals
//	GET  /v1/ledgers                                                    ledger:read, of several workspaces
//	GET  /v1/live?source=&destination=&stage=&outcome=&search=          live:read
//	GET  /v1/parked?source=&destination=&limit=&cursor=                 parked:read
//	GET  /v1/quarantine?source=&destination=&limit=&cursor=             quarantine:read
//	GET  /v1/dead?source=&destination=&code=&limit=&cursor=             dead:read
//	POST /v1/jobs/redrive  {"source","destination","places","code","all","rate","retransform","preview"}  dead:redrive
//	POST /v1/jobs/discard  {"source","destination","places","code","all","rate","preview"}                dead:discard
//	POST /v1/jobs/replay              {"source","destination","places","code","all","rate"}  quarantine:replay
//	POST /v1/jobs/discard-quarantined {"source","destination","places","code","all","rate"}  quarantine:discard
//	GET  /v1/jobs, GET /v1/jobs/{job}                                   jobs:read
//	POST /v1/jobs/{job}/stop                                            jobs:stop
//	GET  /v1/loads?destination=                                         loads:read
//	POST /v1/loads, /v1/loads/pause, /v1/loads/resume {"destination"}   loads:start
//	GET  /v1/profiles                                                   profiles:read
//	GET  /v1/profiles/said                                              profiles:lookup, {"said":{name: what the warehouse said against the last run}}
//	POST /v1/profiles/preview  {"profile","name","features","scores","audiences","conditions"} profiles:lookup
//	POST /v1/profiles/rules    {"profile","entity","entities"}          profiles:lookup, what other rules would make of the rows
//	POST /v1/profiles/inputs   {"profile"}                              profiles:read
//	POST /v1/profiles/values   {"profile","input","column"}             profiles:lookup
//	POST /v1/profiles/sizes    {"profile"}                              profiles:read
//	POST /v1/profiles/scores   {"profile"}                              profiles:read
//	POST /v1/profiles/person   {"profile","entity","a"}                 profiles:lookup
//	POST /v1/profiles/explain  {"profile","a","b"}                      profiles:lookup
//	POST /v1/profiles/run      {"profile","full"}                       profiles:run
//	POST /v1/profiles/decide   {"profile","kind","a","b","undo"}        profiles:decide
//	POST /v1/profiles/decide   {"profile","kind","pairs":[[a,b]],"undo"} profiles:decide, 500 reviewed pairs at most; the answer names those that are wrong
//	POST /v1/profiles/publish  {"profile"}                              profiles:decide
//	POST /v1/profiles/erase    {"profile","a"}                          profiles:decide
//	GET  /v1/profiles/{type:value}/{traits|identifiers|events|audiences}?profiles=&entity=  profiles:lookup, or a key of a lookup
//	POST /v1/query             {"destination","sql"}                    query
//	POST /v1/preview/transformation {"code","libraries":[{"name","code"}],"events":[...]}  preview
//	POST /v1/preview/destination    {"type","spec","settings","events":[...]}  preview
//	POST /v1/destinations/test {"destination"}                          destination:test
//
// live is a stream of what happens from now on, a line for each sighting:
//
//	{"at","stage","source","destination","messageId","outcome","code","event"}
//
// at is RFC 3339 in UTC; destination is "" where none is meant yet; code is ""
// or the reason; event is the JSON as it was at that stage, a string when it is
// not JSON, or null. Every parameter may be repeated and narrows the stream to
// the values given. Stages: gateway, pipeline, transform, deliver, load.
// Outcomes: accepted, duplicate, quarantined, dropped, unrouted, routed,
// transformed, delivered, retrying, parked, dead, staged, loaded. A line
// {"missed":n} says that n sightings before it were left out, because the
// reader is slower than the events. An empty line comes first and every 10 s.
// The stream ends with the capability, after a line
// {"error":{"code":"unavailable","message"}} when the plane stops; ask again with a
// new one. 429: too many streams are open.
//
// parked, quarantine and dead answer a page {"items":[...],"next":"cursor"};
// next is "" on the last one, and a page before it may hold fewer items than
// limit (100, at most 1000), also none. Items:
//
//	{"place","source","destination","messageId","code","detail","at","event"}
//
// and of dead letters also "status", of the answer or 0. detail is "", or what a
// vendor or the customer's code said. place is partition/record/item.
//
// jobs/redrive, discard, replay and discard-quarantined begin a job, which goes on without
// whoever asked, also after a restart of the plane, and answer it as jobs/{job} does:
//
//	{"id","kind","state","reason","source","destination","code","rate","moved","total","created","ended"}
//
// kind is redrive, retransform, discard, replay or discard_quarantined; state is running,
// done, stopped or failed; reason is "", or a sentence: why it failed, or what a running
// one waits for. rate is events per second, 0 for as fast as the plane can. total is null
// until what was chosen is counted, ended until it has ended. What comes after created is
// not moved. jobs answers {"jobs":[...]}, newest first: those that run and the last
// hundred that ended. 409: a job that runs may be about the same events; 429: 32 run in
// the workspace. What was moved before a stop stays moved. With preview nothing
// begins, and the answer is {"chosen":n}.
//
// redrive sends dead letters to their destination behind what is parked. With
// retransform the events as they were before transformations are accepted again,
// to this destination only, and the dead letters are dropped as retransformed:
// of an event that code made several of all are made again. What has no
// connection any more stays.
//
// A replay is accepted again, without dedupe: what customers' code refused goes only to
// its destination; what broke a rule at the gateway and would break it again stays,
// as does what has no source or connection any more. Without a source it is all
// sources. A capability for some objects needs one of them named, and sees the jobs
// about these.
//
// loads answers {"loads":[...],"waiting":[{"destination","events","next","paused"}]}, newest first:
//
//	{"id","destination","at","state","rows","ms","tables":[name],"events":{table:event},"attempt","next","code","detail"}
//
// next is when it is tried again, or null; in waiting when the next load begins, null during
// one; paused since when no load begins, or null; ms how long it took, once done. POST loads begins it, 409 when paused, and answers {"at"}: loads from then on have what waited. code and detail are "" unless it failed; events has
// those whose names their tables' names do not tell whole, and may be missing.
//
// query answers a stream of rows, objects whose keys are the columns in their
// order. It ends after 1,000,000 rows, 256 MiB or 2 minutes; whether for that or
// for an error, the last line is then {"error":{"code","message"}} with the code
// limit_rows, limit_bytes, limit_time or a fault's kind (invalid, unavailable).
// Without it, all rows are there. What fails before the first row is a problem.
// A second column of a name is called <name>_2.
//
// preview/transformation answers a stream, a line for each event:
//
//	{"messageId","events":[...],"logs":[...],"error":{"code","message"}|null}
//
// preview/destination too; nothing is sent, and secrets are not known:
//
//	{"messageId","requests":[{"method","url","headers","body"}],"dropped","error"}
//
// For a warehouse's type the lines are {"messageId","rows":[...]}. Up to 100
// events a call, 4 MiB.
//
// destinations/test answers {"ok":bool,"code","detail","tried","ms"}. tried is what was done:
// request, of a kind on HTTP that declares a request which changes nothing: its answer tells
// whether credentials are accepted; connection, of others on HTTP: the host is resolved and
// connected, with TLS where the address says so, and nothing is sent; session, of all else: it
// signs in. ms is how long it took, 15 s at most. Codes: "" (ok), resolve_failed,
// connect_failed, tls_failed, timeout, egress_denied, guard_denied, no_address,
// sign_in_failed, no_answer, test_refused.
package view
