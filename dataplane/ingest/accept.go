package ingest

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/ingest/body"
	"weir/dataplane/ingest/ratelimit"
	"weir/shared/fault"
)

// outcome is what became of one request. A failure without a status means that
// its events are durable.
type outcome struct {
	kept     int
	rejected []Reject
	rate     ratelimit.Allowance
	fail     failure
}

// refused is the outcome of a request of which nothing was kept.
func refused(f failure) outcome { return outcome{fail: f} }

// accept takes the events of one request and answers it.
func (g *Gateway) accept(w http.ResponseWriter, r *http.Request, call Call) {
	begun := time.Now()
	b := g.bodies.Open(w, r)
	defer b.Release()
	o := g.serve(r, call, b)
	if o.fail.status == 0 {
		g.latencies.add(time.Since(begun))
	}
	o.rate.Write(w.Header())
	switch {
	case o.fail.status != 0:
		refuse(w, o.fail, nil)
	case len(o.rejected) == 0:
		answer(w, http.StatusOK, success)
	case o.kept == 0:
		refuse(w, failNoneKept, o.rejected)
	default:
		answer(w, http.StatusOK, appendRejected([]byte(`{"success":true`), o.rejected))
	}
}

// serve is accept without the answer.
func (g *Gateway) serve(r *http.Request, call Call, b *body.Body) outcome {
	entry, o, ok := g.open(r, b)
	if !ok {
		if entry.Source != "" && o.rate.Limit == 0 {
			g.refused(entry, 1, o.fail)
		}
		b.Drain(r)
		return o
	}
	if !entry.verify(r, b.Data) {
		g.refused(entry, 1, failSignature)
		return refused(failSignature)
	}
	b.Data = withoutMark(b.Data) // not before: the signature is over what came
	if call == webhook {
		if fail, ok := wrap(r, b); !ok {
			g.refused(entry, 1, fail)
			return refused(fail)
		}
		call = Track
	}
	return g.take(r, entry, call, b)
}

// withoutMark returns a body without the byte order mark that some programs begin
// every text with.
func withoutMark(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) }

// verify reports whether the sender of a request may use the write key.
func (e Entry) verify(r *http.Request, body []byte) bool {
	return e.Verify == nil || e.Verify(r.Header, body)
}

// take makes the events in b durable and counts them.
func (g *Gateway) take(r *http.Request, entry Entry, call Call, b *body.Body) outcome {
	counter := g.counters.Of(entry.key())
	kept, rejected, err := g.parse(r, entry, call, b)
	if err != nil {
		fail := parseFailure(err)
		g.refused(entry, 1, fail)
		if fail.status == http.StatusInternalServerError {
			g.broke(r.Context(), "parse", err)
		}
		return refused(fail)
	}
	n := len(kept) + len(rejected)
	rate, ok := g.limits.Take(entry.key(), entry.Rate, n, g.config.Now())
	if !ok {
		counter.Limit(n, failRate.code, g.config.Now())
		return limited(rate)
	}
	if fail, ok := g.append(r.Context(), kept, rejected); !ok {
		g.limits.Give(entry.key(), entry.Rate, n, g.config.Now())
		g.refused(entry, n, fail)
		return refused(fail)
	}
	counter.Accept(n, g.config.Now())
	return outcome{kept: len(kept), rejected: rejected, rate: rate}
}

// limited is the outcome of a request over its source's rate.
func limited(a ratelimit.Allowance) outcome {
	fail := failRate
	fail.retry = a.Wait
	return outcome{fail: fail, rate: a}
}

// open finds out whose request it is and reads its body into b. When it is not
// ok, entry is set if the source is known.
func (g *Gateway) open(r *http.Request, b *body.Body) (entry Entry, o outcome, ok bool) {
	key := headKey(r)
	if key != "" { // without the right to send, nothing is uploaded
		if entry, o, ok = g.admit(key, b); !ok {
			return entry, o, false
		}
	}
	if err := b.Read(r); err != nil {
		if errors.Is(err, body.ErrSlow) && g.slow.Now() {
			g.config.Log.Warn("bodies do not come in time", "peer", r.RemoteAddr)
		}
		return entry, refused(bodyFailure(err)), false
	}
	if key == "" {
		if key = event.Lookup(withoutMark(b.Data), "writeKey"); key == "" {
			return entry, refused(failNoKey), false
		}
		if entry, o, ok = g.admit(key, b); !ok {
			return entry, o, false
		}
	}
	return entry, outcome{}, true
}

// admit looks a write key up and refuses a source that may send nothing now. From
// then on b is charged to the source's workspace.
func (g *Gateway) admit(key string, b *body.Body) (Entry, outcome, bool) {
	entry, fail, ok := g.enter(key)
	if !ok {
		return entry, refused(fail), false
	}
	if rate, ok := g.limits.Peek(entry.key(), entry.Rate, g.config.Now()); !ok {
		g.counters.Of(entry.key()).Limit(1, failRate.code, g.config.Now())
		return entry, limited(rate), false
	}
	if !b.Admit(g.counters.Of(entry.key()).Room) {
		return entry, refused(failBusy), false
	}
	return entry, outcome{}, true
}

// headKey returns the write key that stands before the body: the Basic user
// name, else writeKey of the query.
func headKey(r *http.Request) string {
	if user, _, ok := r.BasicAuth(); ok && user != "" {
		return user
	}
	if r.URL.RawQuery == "" {
		return ""
	}
	return r.URL.Query().Get("writeKey")
}

// enter looks a write key up.
func (g *Gateway) enter(key string) (Entry, failure, bool) {
	entry, ok := g.config.Source(key)
	if !ok && g.config.Waits != nil && g.config.Waits(key) {
		return Entry{}, failUnloaded, false
	}
	if !ok {
		return Entry{}, failUnknownKey, false
	}
	if entry.Disabled {
		return entry, failDisabled, false
	}
	return entry, failure{}, true
}

// parse lets the source's kind turn the body into events.
func (g *Gateway) parse(r *http.Request, entry Entry, call Call, b *body.Body) ([]event.Event, []Reject, error) {
	source, ok := g.sources[entry.Type]
	if !ok {
		return nil, nil, fault.New(fault.Internal, "source kind %s is not in this plane", entry.Type)
	}
	if !body.Turn(g.parsing, parseTimeout) {
		return nil, nil, fault.New(fault.Limited, "too many requests are being parsed")
	}
	defer g.parsing.Release(1)
	return source.Parse(Request{
		Entry: entry, Call: call, Body: b.Data,
		ReceivedAt: g.config.Now(), IP: g.client(r),
	})
}

// client returns the address that r came from, "" when it has none.
func (g *Gateway) client(r *http.Request) string {
	if ip := g.config.TrustedProxies.Client(r); ip.IsValid() {
		return ip.String()
	}
	return ""
}

// append makes all events of a request durable, the quarantined ones behind the
// others, in one go or, for a large request, in few. It goes on when the client
// goes away: a page that is closed has sent its events all the same.
func (g *Gateway) append(ctx context.Context, kept []event.Event, rejected []Reject) (failure, bool) {
	all := kept
	for _, r := range rejected {
		if r.Event.Quarantine != "" {
			all = append(all, r.Event)
		}
	}
	size := int64(len(all)) * eventBytes
	for i := range all {
		size += int64(len(all[i].JSON))
	}
	if !g.unwritten.Take(size) {
		return failBusy, false
	}
	defer g.unwritten.Give(size)
	ctx = context.WithoutCancel(ctx)
	if size > appendBytes {
		whole, cancel := context.WithTimeout(ctx, appendTimeout)
		defer cancel()
		ctx = whole
	}
	for len(all) > 0 {
		n, bytes := 1, len(all[0].JSON)
		for n < len(all) && bytes+len(all[n].JSON) <= appendBytes {
			bytes += len(all[n].JSON)
			n++
		}
		if err := g.config.Append(ctx, all[:n:n]); err != nil {
			return g.appendFailure(ctx, err), false
		}
		all = all[n:]
	}
	return failure{}, true
}

// appendFailure returns the answer to a request when its events are not, or not
// surely, durable.
func (g *Gateway) appendFailure(ctx context.Context, err error) failure {
	switch kind := fault.KindOf(err); {
	case kind == fault.Limited:
		return failure{http.StatusServiceUnavailable, codeOf(err, "overloaded"), "The plane cannot take more now; send it again.", retrySoon}
	case kind != fault.Unavailable && ctx.Err() == nil:
		g.broke(ctx, "append", err)
	}
	return failure{http.StatusServiceUnavailable, codeOf(err, "unavailable"), "The events could not be made durable; send them again.", retrySoon}
}

// broke logs that a step ended as only a mistake of ours can end it: it may be every
// request.
func (g *Gateway) broke(ctx context.Context, step string, err error) {
	if g.logged.Now() {
		g.config.Log.ErrorContext(ctx, "request broke", "step", step, "error", err.Error())
	}
}
