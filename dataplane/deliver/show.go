package deliver

import (
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/dataplane/live"
	"weir/dataplane/outbound"
)

// show shows a result to who watches.
func (ln *lane) show(d *delivery.Delivery, r outbound.Result) {
	stage, outcome := live.Deliver, live.Retrying
	switch r.Outcome {
	case destination.Delivered:
		if outcome = live.Delivered; ln.target != nil && ln.target.Staged {
			stage, outcome = live.Load, live.Staged
		}
	case destination.Dropped:
		outcome = live.Dropped
	case destination.Dead:
		outcome = live.Dead
	}
	ln.l.see(d, stage, outcome, r.Code)
}

// see shows a delivery to who watches its workspace.
func (l *Lanes) see(d *delivery.Delivery, stage live.Stage, outcome live.Outcome, code string) {
	e := &d.Event
	if !l.cfg.Live.Watching(e.Workspace) {
		return
	}
	l.cfg.Live.See(live.Sighting{
		At: time.Now(), Workspace: e.Workspace, Source: e.Source, Destination: d.Destination, MessageID: e.MessageID,
		Stage: stage, Outcome: outcome, Code: code, Event: e.JSON,
	})
}
