// Package ingest is the gateway of a data plane: HTTP in, durable events out,
// and the contract of sources.
//
// A request is answered with 200 only after Config.Append returned nil for all
// of its events, the quarantined ones too; otherwise with 503 and Retry-After,
// and the plane's dedupe absorbs the repetition. A batch keeps its good members;
// a bad one goes to quarantine and is named in the answer. What arrived whole is
// kept also when its client goes away before the answer.
//
// It refuses bodies of more than MaxBody bytes (unzipped), stops unzipping
// there, and keeps the memory of all requests together below a bound, in which who
// has no write key and who has one do not compete, and a workspace has a share. A
// source that sends more than its Rate is told to wait. A slow client is answered or
// cut: 10 s for a head, 10 s without a byte of a body, 512 bytes a second once 10 s
// are over, a minute for all of it. One address may have a share of the connections,
// and idle ones make room for new ones. A
// client's mistake is never answered with 5xx. It looks at no content type but
// that of a webhook, whose body may be a form. Nothing that a client sent stands
// in its logs, counts or errors.
//
// Pixels and webhooks are made the body of a track or page here, so sources see
// only those. A pixel is answered with its image whatever became of its event.
package ingest
