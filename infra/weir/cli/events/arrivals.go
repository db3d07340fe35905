package events

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/shared/capability"
)

// arrival is what came to a source since its plane's process started.
type arrival struct {
	Source       string            `json:"source"`
	Received     uint64            `json:"received"`
	Accepted     uint64            `json:"accepted"`
	Refused      uint64            `json:"refused"`
	Reasons      map[string]uint64 `json:"reasons"`
	LastAccepted *time.Time        `json:"lastAccepted,omitempty"`
	LastRefused  *time.Time        `json:"lastRefused,omitempty"`
}

// NewArrivals returns the command `weir source status`.
func NewArrivals(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	workspace := ""
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "status [SOURCE]",
		Short: "Say what came to each source, and why what was refused was",
		Long: `Shows what was sent to each source since its plane's process started: received =
refused + accepted, when something was last accepted, and the code with which each
refused request was answered:

  source_disabled      the source is disabled: enable it
  bad_signature        the sender signs with another secret, or not at all
  rate_limited         more came than the source's rate allows
  request_too_large    a body over 4 MiB: send smaller batches
  unreadable_body      the sender went away, or its body is no JSON

What came with a write key that no source has counts nowhere: the sender gets 401
unknown_write_key. The numbers come from the workspace's data plane directly.`,
		Example: `  weir source status
  weir source status web --output json | jq .reasons`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			chosen, err := console.Choose(cmd.Context(), control, workspace)
			if err != nil {
				return err
			}
			type row struct {
				Workspace string `json:"workspace"`
				arrival
			}
			rows, now := []row{}, time.Now()
			table := console.Table{Head: []string{"WORKSPACE", "SOURCE", "RECEIVED", "ACCEPTED", "REFUSED", "LAST ACCEPTED", "LAST REFUSED"}}
			for _, w := range chosen {
				view, err := control.View(cmd.Context(), w.Name, capability.ReadLedger)
				if err != nil {
					return err
				}
				var out struct{ Sources []arrival }
				if err := view.Arrivals(cmd.Context(), &out); err != nil {
					return fmt.Errorf("ask what came to workspace %s: %w", w.Name, err)
				}
				for _, a := range out.Sources {
					if len(args) > 0 && args[0] != a.Source {
						continue
					}
					rows = append(rows, row{w.Name, a})
					table.Add(w.Name, a.Source, fmt.Sprint(a.Received), fmt.Sprint(a.Accepted), reasons(a.Reasons), console.Since(a.LastAccepted, now), console.Since(a.LastRefused, now))
				}
			}
			if k.Output != console.AsTable {
				return console.PrintEach(k.Console, rows)
			}
			if len(rows) == 0 {
				k.Say("Nothing came since the plane started. Send an event with the source's write key; 'weir status' shows whether its plane runs.")
				return nil
			}
			return table.Write(k.Out)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "only this workspace")
	return cmd
}
