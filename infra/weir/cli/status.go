package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"

	"weir/shared/command"
	"weir/shared/wire"
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
	planes := console.Table{Head: []string{"PLANE", "REGION", "VERSION", "LAST BEAT", "HEALTH", "LAG", "DISK FREE", "ALARMS"}}
	for _, p := range s.Planes {
		names[string(p.ID)] = p.Name
		var alarms []string
		for _, a := range p.Alarms {
			alarms = append(alarms, strings.TrimSuffix(fmt.Sprintf("%s ×%d (%s)", a.Code, a.Count, objects.of(a)), " ()"))
		}
		planes.Add(p.Name, p.Region, console.Dash(p.Version), console.Since(p.LastBeat, now), health(p), lag(p), diskFree(p), console.Dash(strings.Join(alarms, ", ")))
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

// lag is how long the oldest event of a plane waits, of the process that is furthest behind.
func lag(p remote.Plane) string {
	worst, frames := uint64(0), uint64(0)
	for _, c := range p.Conditions {
		worst, frames = max(worst, c.LagMs), frames+c.LagFrames
	}
	switch {
	case len(p.Conditions) == 0:
		return "-"
	case worst == 0 && frames == 0:
		return "none"
	case worst < 1000:
		return fmt.Sprintf("%d ms", worst)
	}
	return (time.Duration(worst) * time.Millisecond).Round(time.Second).String()
}

// diskFree is what is free on the disk of a plane, in percent, of the fullest of its processes,
// and when that is used up where it is to be seen.
func diskFree(p remote.Plane) string {
	out, least := "-", 2.0
	for _, c := range p.Conditions {
		if c.DiskSize == 0 || float64(c.DiskFree)/float64(c.DiskSize) >= least {
			continue
		}
		least = float64(c.DiskFree) / float64(c.DiskSize)
		out = fmt.Sprintf("%.0f%%", 100*least)
		if c.DiskLastsS > 0 {
			out += fmt.Sprintf(", full in %s", (time.Duration(c.DiskLastsS) * time.Second).Round(time.Minute))
		}
	}
	return out
}

func health(p remote.Plane) string {
	silent := slices.ContainsFunc(p.Alarms, func(a wire.Alarm) bool { return a.Code == "plane_silent" })
	switch {
	case p.LastBeat == nil:
		return "never seen"
	case silent:
		return "silent"
	case p.Healthy:
		return "healthy"
	}
	return "unhealthy"
}
