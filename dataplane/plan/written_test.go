package plan_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/dataplane/plan"
	"weir/dataplane/warehouse"
)

// files is a sink whose verdicts are those of the types of events.
type files struct{ name string }

func (f *files) Close() error { return nil }

func (f *files) Write(_ context.Context, b destination.Batch) (verdicts []destination.Verdict, err error) {
	f.name = b.Name
	for i, item := range b.Items {
		v := destination.Verdict{Item: i, Outcome: destination.Delivered}
		switch item.Event.Type {
		case "odd":
			v = destination.Verdict{Item: i, Outcome: destination.Dead, Code: "rejected_422", Detail: "odd"}
		case "forbidden":
			v = destination.Verdict{Item: i, Outcome: destination.Retry, Code: "rejected_403"}
		case "broken":
			return nil, errors.New("broken")
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, nil
}

func TestEventsOfAnIntervalAreWrittenByLoads(t *testing.T) {
	t.Parallel()
	f := &files{}
	o := plan.Written(destination.Opened{
		Sink:   func(context.Context, destination.Deps) (destination.Sink, error) { return f, nil },
		Limits: destination.Limits{Interval: time.Minute, BatchBytes: 7},
	})
	if o.SyncEvery != time.Minute || o.Layout != nil {
		t.Errorf("opened as %+v", o)
	}
	w, err := o.Open(t.Context(), warehouse.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	to := w.(interface {
		MostBytes() int64
		WriteBatch(context.Context, string, time.Time, []event.Event) ([]event.Event, error)
	})
	refused, err := to.WriteBatch(t.Context(), "b1", time.Time{}, []event.Event{{Type: "track"}, {Type: "odd"}})
	if err != nil || len(refused) != 1 || refused[0].Quarantine != "row_refused" || refused[0].Detail != "rejected_422: odd" || f.name != "b1" || to.MostBytes() != 7 {
		t.Errorf("refused %+v, %v of batch %s", refused, err, f.name)
	}
	for typ, code := range map[string]string{"forbidden": warehouse.CodeAuth, "broken": warehouse.CodeUnreachable} {
		if _, err := to.WriteBatch(t.Context(), "b1", time.Time{}, []event.Event{{Type: "odd"}, {Type: typ}}); warehouse.CodeOf(err) != code {
			t.Errorf("%s: %v, want %s", typ, err, code)
		}
	}
	if err := w.Query(t.Context(), "select 1", nil); err == nil {
		t.Error("a query of what has no tables was answered")
	}
	if err := errors.Join(w.Test(t.Context()), w.Close()); err != nil {
		t.Error(err)
	}
}
