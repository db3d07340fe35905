package transform_test

import (
	"fmt"
	"sync"
	"testing"

	"weir/dataplane/transform"
	child "weir/shared/worker"
)

// TestOnlyWhatKillsWorkersIsEndedForIt runs events of which some kill every
// worker that they come to.
func TestOnlyWhatKillsWorkersIsEndedForIt(t *testing.T) {
	t.Parallel()
	e := run(t, transform.Config{Workers: 2, Command: []string{"/proc/self/exe", child.Command, mortalTask}})
	c := compile(t, `export const transformEvent = e => { e.properties.seen = true; return e }`)
	texts := make([]string, 60)
	for i := range texts {
		texts[i] = fmt.Sprintf(`{"userId":"u","messageId":"m%d","properties":{"n":%d}}`, i, i)
		if i == 7 || i == 41 {
			texts[i] = fmt.Sprintf(`{"userId":"u","messageId":"m%d","properties":{"x":%q}}`, i, deadly)
		}
	}
	in := parsed(t, texts...)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			r := apply(t, e, c, in)
			if len(r.Outs) != 58 || len(r.Ends) != 2 {
				t.Errorf("%d outputs and %d ends, want 58 and 2", len(r.Outs), len(r.Ends))
				return
			}
			for i, at := range []int{7, 41} {
				if d := r.Ends[i]; d.From != at || d.Code != transform.CodeKilled || !d.Quarantined {
					t.Errorf("end %d is %+v, want event %d to be %s", i, d, at, transform.CodeKilled)
				}
			}
		})
	}
	wg.Wait()
}
