package load

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"weir/dataplane/event"
	"weir/dataplane/layout"
	"weir/dataplane/load/disk"
	"weir/dataplane/load/history"
	"weir/dataplane/load/pace"
	"weir/dataplane/load/reading"
	"weir/dataplane/warehouse"
	"weir/shared/id"
)

// Codes of events that a table refused.
const (
	rowRefused   = "row_refused"        // its row
	tableRefused = history.TableRefused // every row
)

const (
	// tableTries is how often a table is tried that refuses every row, until its
	// events of the load are refused.
	tableTries = 4
	// maxReason is the most bytes of what a warehouse says that an event keeps.
	maxReason = 500
)

// stepPart is where a crash is tried between a part of a table, or what it refuses,
// and the manifest that says so. Most loads have none.
const stepPart Step = "part"

// Refuses returns the code for which no warehouse has a row for an event, "" for
// one that is loaded: types beyond those of the layout, such as merge.
func Refuses(e event.Event) (code string) { return layout.Refuses(e.Type) }

// Refusing returns the tables of a destination that refused rows when they were
// loaded last, sorted. Their names come from names of events: they stay local.
func (e *Engine) Refusing(d id.Destination) []string {
	e.mu.Lock()
	l := e.loaders[d]
	e.mu.Unlock()
	if l == nil {
		return nil
	}
	return l.refusing.Tables()
}

// reason is what a warehouse says, without the code, cut.
func reason(err error) string {
	var f *warehouse.Failure
	if errors.As(err, &f) {
		err = f.Err
	}
	s := err.Error()
	return strings.ToValidUTF8(s[:min(len(s), maxReason)], "")
}

// keep tells Refused of events of a manifest, by their numbers in order.
func (l *loader) keep(ctx context.Context, job Job, m *disk.Manifest, events []int64, code, detail string) error {
	if len(events) == 0 || l.e.c.Refused == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, pace.Longest)
	defer cancel()
	if l.index == nil {
		index, err := l.reading(m).Index(ctx)
		if err != nil {
			return err
		}
		l.index = index
	}
	for len(events) > 0 {
		p, refused, rest, err := l.reading(m).Take(ctx, l.index, events)
		if err != nil {
			return err
		}
		events = rest
		for i := range refused {
			refused[i].Quarantine, refused[i].Detail, refused[i].Destination = code, detail, job.Destination
		}
		if err := l.e.c.Refused(ctx, p, refused); err != nil {
			return fmt.Errorf("keep refused events: %w", err)
		}
	}
	return nil
}

// reading is what a manifest has of STAGE.
func (l *loader) reading(m *disk.Manifest) *reading.Load {
	logs := make([]reading.Log, len(l.e.c.Stages))
	for i, s := range l.e.c.Stages {
		logs[i] = s
	}
	return &reading.Load{Logs: logs, Key: string(l.dest), From: m.From, To: m.To}
}
