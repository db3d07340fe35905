package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/remote"

	"weir/shared/command"
)

func newStatus(k *console) *cobra.Command {
	return k.remoteFlags(&cobra.Command{
		Use:   "status",
		Short: "Show planes, their health, and the revisions wanted and applied",
		Example: `  weir status
  weir status --output json | jq '.workspaces[] | select(.state != "applied")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.connect()
			if err != nil {
				return err
			}
			s, err := control.Status(cmd.Context())
			if err != nil {
				return err
			}
			if k.output != formatTable {
				return k.print(s)
			}
			return k.status(s, time.Now())
		},
	})
}

func (k *console) status(s remote.Status, now time.Time) error {
	names := map[string]string{"": "-"}
	planes := table{head: []string{"PLANE", "REGION", "VERSION", "LAST BEAT", "HEALTH", "ALARMS"}}
	for _, p := range s.Planes {
		names[string(p.ID)] = p.Name
		var alarms []string
		for _, a := range p.Alarms {
			alarms = append(alarms, fmt.Sprintf("%s ×%d", a.Code, a.Count))
		}
		planes.add(p.Name, p.Region, dash(p.Version), since(p.LastBeat, now), health(p), dash(strings.Join(alarms, ", ")))
	}
	if len(s.Planes) == 0 {
		k.Say("No data plane has joined yet. Let one join:\n  weir plane invite --region eu")
	} else if err := planes.write(k.Out); err != nil {
		return err
	}
	for _, p := range s.Planes {
		if text := bottleneck(p.Alarms); text != "" {
			k.Say("\nBottleneck of %s: %s", command.Clean(p.Name), text)
		}
	}
	k.Say("")
	if len(s.Workspaces) == 0 {
		k.Say("There is no workspace yet. Make one:\n  weir apply -f weir.yaml")
		return nil
	}
	workspaces := table{head: []string{"WORKSPACE", "REGION", "PLANE", "WANTED", "APPLIED", "STATE"}}
	var problems []string
	for _, w := range s.Workspaces {
		name, ok := names[string(w.Plane)]
		if !ok {
			name = string(w.Plane)
		}
		workspaces.add(w.Name, w.Region, name, fmt.Sprint(w.Number), fmt.Sprint(w.Applied), string(w.State))
		for _, p := range w.Problems {
			problems = append(problems, "  "+command.Clean(w.Name)+": "+command.ProblemLine(p))
		}
	}
	if err := workspaces.write(k.Out); err != nil {
		return err
	}
	if len(problems) > 0 {
		k.Say("\nRejected, so the former revision goes on:\n%s", strings.Join(problems, "\n"))
	}
	return nil
}

func health(p remote.Plane) string {
	switch {
	case p.LastBeat == nil:
		return "never seen"
	case p.Healthy:
		return "healthy"
	}
	return "unhealthy"
}

// since says how long ago t was, in the largest unit that fits.
func since(t *time.Time, now time.Time) string {
	if t == nil || t.IsZero() {
		return "never"
	}
	switch d := now.Sub(*t); {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(d.Hours()/24))
	}
}
