package ingest

import (
	"sync"

	"weir/dataplane/event"
)

// Calls returns a Parse for the kinds whose senders speak as Segment's and
// RudderStack's do: one event on a route of its type, or a batch.
//
// A batch keeps its good members and names the bad ones; a bad event on its own
// route is an error. See weir/dataplane/event for what is added and refused.
func Calls() func(Request) ([]event.Event, []Reject, error) { return new(parserPool).parse }

// parserPool keeps the working memory of parsers between requests.
type parserPool struct{ pool sync.Pool }

// scratch is the working memory of one request.
type scratch struct {
	batch  event.Batch
	parser event.Parser
}

// maxScratch is up to how many members the memory of a request is used again.
const maxScratch = 4096

// parse turns a request into events.
func (s *parserPool) parse(r Request) ([]event.Event, []Reject, error) {
	d, _ := s.pool.Get().(*scratch)
	if d == nil {
		d = new(scratch)
	}
	defer func() {
		d.parser.End()
		clear(d.batch.Members)
		if cap(d.batch.Members) <= maxScratch {
			s.pool.Put(d)
		}
	}()
	stamp := event.Stamp{
		Workspace: r.Workspace, Source: r.Source,
		ReceivedAt: r.ReceivedAt, RequestIP: r.IP,
	}
	switch r.Call {
	case Batch:
		return d.many(stamp, r.Body)
	case Import:
		stamp.KeepTimestamp = true
		return d.many(stamp, r.Body)
	}
	stamp.Type = string(r.Call)
	return d.one(stamp, r.Body)
}

// one parses a body that is one event.
func (d *scratch) one(stamp event.Stamp, body []byte) ([]event.Event, []Reject, error) {
	d.parser.Begin(stamp, nil, len(body), 1)
	e, code := d.parser.Single(body)
	if code != "" {
		return nil, nil, code.Err()
	}
	return []event.Event{e}, nil, nil
}

// many parses a batch.
func (d *scratch) many(stamp event.Stamp, body []byte) (kept []event.Event, rejected []Reject, err error) {
	if err := d.batch.Cut(body); err != nil {
		return nil, nil, err
	}
	members := d.batch.Members
	kept = make([]event.Event, 0, len(members))
	d.parser.Begin(stamp, &d.batch, len(body), len(members))
	for i, m := range members {
		e, code := d.parser.Event(m)
		if code != "" {
			rejected = append(rejected, Reject{Index: i, Code: string(code), Message: code.Text(), Event: e})
		} else {
			kept = append(kept, e)
		}
		if d.parser.Used() > event.MaxExpanded {
			return nil, nil, event.TooExpanded.Err()
		}
	}
	return kept, rejected, nil
}
