package pipeline

import (
	"time"

	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/live"
	"weir/shared/id"
)

// outcomes says how the end of an event at its source is shown.
var outcomes = map[ledger.Account]live.Outcome{
	ledger.Duplicate: live.Duplicate, ledger.Quarantined: live.Quarantined, ledger.Dropped: live.Dropped,
	ledger.Unrouted: live.Unrouted, ledger.SourceRouted: live.Routed,
}

// show shows what was decided about a frame's events to those that watch.
func (o *owner) show(f *frame) {
	for i := range f.events {
		if e := &f.events[i]; o.cfg.Live.Watching(e.Workspace) {
			to, stage := id.Destination(""), live.Pipeline
			if takenBack(e) {
				to, stage = e.Destination, live.Load
			}
			o.see(e, to, stage, outcomes[f.fates[i].account], f.fates[i].code)
		}
	}
}

// see shows one event on its way to a destination, "" for none.
func (o *owner) see(e *event.Event, d id.Destination, stage live.Stage, outcome live.Outcome, code string) {
	if !o.cfg.Live.Watching(e.Workspace) {
		return
	}
	o.cfg.Live.See(live.Sighting{
		At: time.Now(), Workspace: e.Workspace, Source: e.Source, Destination: d, MessageID: e.MessageID,
		Stage: stage, Outcome: outcome, Code: code, Event: e.JSON,
	})
}
