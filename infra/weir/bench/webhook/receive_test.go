package webhook

import (
	"testing"
	"time"

	"weir/infra/weir/bench/load"
)

func TestAReceiverCountsFirstAndFurtherArrivals(t *testing.T) {
	t.Parallel()
	r := newReceiver(false)
	id := string(load.AppendID(nil, 1, 5))
	r.note(id, []byte(`{"messageId":"`+id+`"}`), 100)
	r.note(id, []byte(`{"messageId":"`+id+`"}`), 200)
	r.note(id, []byte(`{"messageId":"another"}`), 300)
	r.note("", []byte(`{"batch":[`+string(load.AppendEvent(nil, 1, 6, time.Now()))+`,`+string(load.AppendEvent(nil, 1, 7, time.Now()))+`]}`), 400)
	r.note("", []byte(`{}`), 500)
	got := r.phases[1]
	if got.distinct != 3 || got.more != 1 || got.at[5] != 100 || got.at[7] != 400 || got.last != 400 || r.strange != 2 {
		t.Errorf("%+v, strange %d; want 3 distinct, 1 more, 2 strange, event 5 at 100", got, r.strange)
	}
}
