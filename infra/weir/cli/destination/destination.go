// Package destination is the command `weir destination`: it tries a destination from its
// plane, and checks the files of kinds of one's own.
package destination

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/shared/capability"
	"weir/shared/command"
	"weir/shared/fault"
)

// invocation is one execution of a command.
type invocation struct{ *console.Console }

// New returns the command `weir destination`.
func New(shell *console.Console) *cobra.Command {
	return console.Group("destination", "Try destinations, and check kinds of your own", newTest(shell), newLint(shell))
}

func newTest(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var workspace string
	cmd := k.RemoteFlags(&cobra.Command{
		Use:   "test NAME",
		Short: "Try a destination from the data plane that delivers to it",
		Long: `Asks the workspace's data plane to try a destination, with its settings and secrets as
they were applied. No event is sent.

Of a kind that declares a request for it, the plane sends that one, and its answer
tells whether the credentials are accepted. Of other kinds on HTTP it connects, with TLS,
and sends nothing. It signs in to warehouses and to what speaks a protocol of its own.

The command exits with 1 when the destination cannot be used. What the
destination said is shown here, and goes to no control plane.`,
		Example: `  weir destination test crm
  weir destination test lake --workspace acme --output json`,
		RunE: func(cmd *cobra.Command, args []string) error { return k.test(cmd.Context(), workspace, args[0]) },
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace, where several have such a destination")
	return cmd
}

// result is how a connection test went. Tried is request, connection or session; Code
// and Detail are empty when it went well.
type result struct {
	Workspace   string `json:"workspace"` // the plane says nothing of it and the next
	Destination string `json:"destination"`
	OK          bool   `json:"ok"`
	Code        string `json:"code"`
	Detail      string `json:"detail"`
	Tried       string `json:"tried"`
	Millis      int64  `json:"ms"`
}

func (k invocation) test(ctx context.Context, workspace, name string) error {
	control, err := k.Connect()
	if err != nil {
		return err
	}
	chosen, err := console.Choose(ctx, control, workspace)
	if err != nil {
		return err
	}
	if chosen, err = console.Having(chosen, name); err != nil {
		return err
	}
	if len(chosen) > 1 {
		return command.Usage("name the workspace with --workspace; %s", console.ThereAre("workspaces", chosen, func(w remote.Workspace) string { return w.Name }))
	}
	w := chosen[0]
	view, err := control.View(ctx, w.Name, capability.TestDestination)
	if err != nil {
		return err
	}
	t := result{Workspace: w.Name, Destination: name}
	if err := view.Test(ctx, string(console.DestinationID(w, name)), &t); err != nil {
		return fmt.Errorf("test %s of workspace %s: %w", name, w.Name, err)
	}
	if k.Output != console.AsTable {
		err = console.PrintEach(k.Console, []result{t})
	} else if t.OK {
		_, err = fmt.Fprintf(k.Out, "%s: ok, %s, in %d ms\n", name, tried(t.Tried), t.Millis)
	}
	if err != nil || t.OK {
		return err
	}
	detail := ""
	if t.Detail != "" {
		detail = ": " + strings.TrimSuffix(command.Clean(t.Detail), ".")
	}
	return fault.New(fault.Unavailable, "%s cannot be used (%s)%s. %s", name, command.Clean(t.Code), detail, remedy(t.Code))
}

// tried says in words what was tried.
func tried(what string) string {
	switch what {
	case "request":
		return "it answered a request that changes nothing"
	case "session":
		return "the plane signed in"
	}
	return "the plane connected; the kind has no request that would test credentials"
}

// remedy says what to do about a code of a test.
func remedy(code string) string {
	texts := map[string]string{
		"resolve_failed": "Check the host's name in its settings: the plane finds no address for it.",
		"connect_failed": "Check host and port in its settings, and that a firewall lets the plane through.",
		"tls_failed":     "Check its certificate, and what its settings say of TLS.",
		"timeout":        "It did not answer in time: check the firewall, and that it is not overloaded.",
		"egress_denied":  "The plane may not talk to that address; its operator can allow private addresses with --allow-private.",
		"guard_denied":   "The rules of the plane's owner forbid it, in guard.yaml.",
		"no_address":     "It has no address that could be tried without an event.",
		"sign_in_failed": "Check its secrets and who they belong to, then apply them again.",
		"no_answer":      "It answers, but takes no requests now; deliveries wait. Try again in a while.",
		"test_refused":   "Its address answers, but not as this kind expects: check the settings that say which account and address are meant.",
	}
	if text, ok := texts[code]; ok {
		return text
	}
	return "Look into the plane's log for more."
}
