package console

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"weir/infra/weir/cli/remote"
	"weir/shared/fault"
	"weir/shared/id"
)

// Choose returns the workspace of that name, or all for "".
func Choose(ctx context.Context, control *remote.Control, name string) ([]remote.Workspace, error) {
	all, err := control.Workspaces(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fault.New(fault.Missing, "there is no workspace yet; make one with 'weir apply -f weir.yaml'")
	}
	if name == "" {
		return all, nil
	}
	i := slices.IndexFunc(all, func(w remote.Workspace) bool { return w.Name == name })
	if i < 0 {
		return nil, fault.New(fault.Missing, "there is no workspace %s; %s", name, ThereAre("workspaces", all, func(w remote.Workspace) string { return w.Name }))
	}
	return all[i : i+1], nil
}

// ThereAre lists the names of vs, for errors about a name that is none.
func ThereAre[T any](noun string, vs []T, name func(T) string) string {
	const most = 10
	if len(vs) == 0 {
		return "there are no " + noun
	}
	var names []string
	for i, v := range vs {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(vs)-most))
			break
		}
		names = append(names, name(v))
	}
	return noun + " are " + strings.Join(names, ", ")
}

// Having returns the workspaces that have a destination of that name.
func Having(all []remote.Workspace, destination string) ([]remote.Workspace, error) {
	var names []remote.Destination
	var found []remote.Workspace
	for _, w := range all {
		names = append(names, w.Destinations...)
		if DestinationID(w, destination) != "" {
			found = append(found, w)
		}
	}
	if len(found) == 0 {
		return nil, fault.New(fault.Missing, "there is no destination %s; %s", destination, ThereAre("destinations", names, func(d remote.Destination) string { return d.Name }))
	}
	return found, nil
}

// DestinationID finds a destination by its name or identifier; "" when none.
func DestinationID(w remote.Workspace, name string) id.Destination {
	i := slices.IndexFunc(w.Destinations, func(d remote.Destination) bool { return d.Name == name })
	if i < 0 {
		i = slices.IndexFunc(w.Destinations, func(d remote.Destination) bool { return string(d.ID) == name })
	}
	if i < 0 {
		return ""
	}
	return w.Destinations[i].ID
}
