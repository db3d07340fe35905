package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"

	"weir/shared/command"
)

func newStatus(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	return k.RemoteFlags(&cobra.Command{
		Use:   "status",
		Short: "Show planes, their health, and the revisions wanted and applied",
		Example: `  weir status
  weir status --output json | jq '.workspaces[] | select(.state != "applied")'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			s, err := control.Status(cmd.Context())
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return k.Print(s)
			}
			return k.status(s, time.Now())
		},
	})
}

func (k invocation) status(s remote.Status, now time.Time) error {
	names, objects := map[string]string{"": "-"}, objectNames(s.Workspaces)
	planes := console.Table{Head: []string{"PLANE", "REGION", "VERSION", "LAST BEAT", "HEALTH", "ALARMS"}}
	for _, p := range s.Planes {
		names[string(p.ID)] = p.Name
		var alarms []string
		for _, a := range p.Alarms {
			alarms = append(alarms, strings.TrimSuffix(fmt.Sprintf("%s ×%d (%s)", a.Code, a.Count, objects.of(a)), " ()"))
		}
		planes.Add(p.Name, p.Region, console.Dash(p.Version), console.Since(p.LastBeat, now), health(p), console.Dash(strings.Join(alarms, ", ")))
	}
	if len(s.Planes) == 0 {
		k.Say("No data plane has joined yet. Let one join:\n  weir plane invite --region eu")
	} else if err := planes.Write(k.Out); err != nil {
		return err
	}
	for _, p := range s.Planes {
		if text := bottleneck(p.Alarms, objects); text != "" {
			k.Say("\nBottleneck of %s: %s", command.Clean(p.Name), text)
		}
	}
	k.Say("")
	if len(s.Workspaces) == 0 {
		k.Say("There is no workspace yet. Make one:\n  weir apply -f weir.yaml")
		return nil
	}
	workspaces := console.Table{Head: []string{"WORKSPACE", "REGION", "PLANE", "WANTED", "APPLIED", "STATE"}}
	var problems []string
	for _, w := range s.Workspaces {
		name, ok := names[string(w.Plane)]
		if !ok {
			name = string(w.Plane)
		}
		workspaces.Add(w.Name, w.Region, name, fmt.Sprint(w.Number), fmt.Sprint(w.Applied), string(w.State))
		for _, p := range w.Problems {
			problems = append(problems, "  "+command.Clean(w.Name)+": "+command.ProblemLine(p))
		}
	}
	if err := workspaces.Write(k.Out); err != nil {
		return err
	}
	for _, w := range s.Workspaces {
		for _, a := range w.Alarms {
			k.Say("\n%s: %s. %s", command.Clean(w.Name), a.Code, costly)
		}
	}
	if len(problems) > 0 {
		k.Say("\nRejected, so the former revision goes on:\n%s", strings.Join(problems, "\n"))
	}
	return nil
}

// costly explains the one alarm that the control plane itself raises of a workspace.
const costly = "The control plane takes long to check its code, or refused it as too complex; others do not wait for it. Make the code simpler."

func health(p remote.Plane) string {
	switch {
	case p.LastBeat == nil:
		return "never seen"
	case p.Healthy:
		return "healthy"
	}
	return "unhealthy"
}
