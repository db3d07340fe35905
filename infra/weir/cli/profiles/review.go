package profiles

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/shared/capability"
	"weir/shared/fault"
)

// pair is two identifiers that somebody reviewed or may review.
type pair struct {
	A       string     `json:"a"`
	B       string     `json:"b"`
	One     bool       `json:"one"`
	Said    string     `json:"said,omitempty"`
	At      *time.Time `json:"at,omitempty"`
	Alike   int64      `json:"alike,omitempty"`
	Seen    *time.Time `json:"seen,omitempty"`
	Missing bool       `json:"missing,omitempty"`
}

// reviews is what people reviewed, and what is worth a look.
type reviews struct {
	Queue    []pair `json:"queue"`
	Reviewed []pair `json:"reviewed"`
	Measures struct {
		Pairs     int64   `json:"pairs"`
		Broken    int64   `json:"broken"`
		Precision float64 `json:"precision"`
		Recall    float64 `json:"recall"`
	} `json:"measures"`
}

func newReviews(shell *console.Console) *cobra.Command {
	k := &invocation{Console: shell}
	return k.flags(&cobra.Command{
		Use: "reviews", Short: "List pairs of identifiers to review, and how runs agree with those that were", Args: cobra.NoArgs,
		Long: `Lists the pairs that people reviewed, those against which the last run is first, and pairs
that are worth a look. 'weir profiles same' and 'weir profiles different' say of a pair
what you know. That joins and parts nobody: runs are judged by it, and held when the gate
of the entity says so.`,
		Example: "  weir profiles reviews",
		RunE: func(cmd *cobra.Command, _ []string) error {
			raw, err := k.ask(cmd.Context(), capability.LookupProfiles, "reviews", map[string]any{})
			if err != nil {
				return err
			}
			var answer struct{ Reviews reviews }
			if err := json.Unmarshal(raw, &answer); err != nil {
				return fault.New(fault.Unavailable, "the plane's answer cannot be read")
			}
			return k.reviewed(answer.Reviews)
		},
	})
}

func (k *invocation) reviewed(r reviews) error {
	if k.Output != console.AsTable {
		return k.Print(r)
	}
	t := console.Table{Head: []string{"A", "B", "NOW", "REVIEWED", "AT"}}
	for _, p := range append(r.Reviewed, r.Queue...) {
		now, at := "two persons", ""
		if p.One {
			now = "one person"
		}
		if p.Missing {
			now = "not there"
		}
		if p.At != nil {
			at = p.At.UTC().Format(time.RFC3339)
		}
		t.Add(p.A, p.B, now, p.Said, at)
	}
	if err := t.Write(k.Out); err != nil {
		return err
	}
	if m := r.Measures; m.Pairs > 0 {
		_, err := fmt.Fprintf(k.Out, "\n%d reviewed, %d broken; precision %.1f %%, recall %.1f %%\n", m.Pairs, m.Broken, 100*m.Precision, 100*m.Recall)
		return err
	}
	return nil
}
