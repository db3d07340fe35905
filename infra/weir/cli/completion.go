package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/remote"
	"weir/infra/weir/cli/remote/tenants"
)

// completeTimeout is how long a shell waits for names.
const completeTimeout = 2 * time.Second

// completeNames lets shells complete names of workspaces, sources and destinations,
// for flags and arguments of root and all below it that ask a control plane.
func (k invocation) completeNames(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		k.completeNames(sub)
	}
	if cmd.Flags().Lookup("control") == nil {
		return
	}
	for flag, names := range map[string]func(remote.Workspace) []string{"workspace": workspaceNames, "source": sourceNames, "destination": destinationNames} {
		if cmd.Flags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag, k.complete(ofWorkspaces(names))) // the flag is there, and has none
		}
	}
	_ = cmd.RegisterFlagCompletionFunc("org", k.complete(organizationNames)) // those that find a control plane have the flag
	switch cmd.Name() {
	case "export", "show", "delete":
		if cmd.Name() != "export" && cmd.Parent().Name() != "workspace" {
			return
		}
		cmd.ValidArgsFunction = k.complete(ofWorkspaces(workspaceNames))
	case "query", "test":
		cmd.ValidArgsFunction = k.complete(ofWorkspaces(destinationNames))
	}
}

// listing asks a control plane for names.
type listing func(ctx context.Context, control *remote.Control) ([]string, error)

// ofWorkspaces lists the names that workspaces have.
func ofWorkspaces(names func(remote.Workspace) []string) listing {
	return func(ctx context.Context, control *remote.Control) ([]string, error) {
		all, err := control.Workspaces(ctx)
		var found []string
		for _, w := range all {
			found = append(found, names(w)...)
		}
		return found, err
	}
}

func organizationNames(ctx context.Context, control *remote.Control) ([]string, error) {
	all, err := tenants.Organizations(ctx, control)
	var found []string
	for _, o := range all {
		found = append(found, o.Name)
	}
	return found, err
}

// complete returns what gives the names of a listing.
func (k invocation) complete(names listing) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		control, err := k.Connect()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		ctx, cancel := context.WithTimeout(ctx, completeTimeout)
		defer cancel()
		found, err := names(ctx, control)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		slices.Sort(found)
		return slices.Compact(found), cobra.ShellCompDirectiveNoFileComp
	}
}

func workspaceNames(w remote.Workspace) []string { return []string{w.Name} }

func sourceNames(w remote.Workspace) (names []string) {
	for _, s := range w.Sources {
		names = append(names, s.Name)
	}
	return names
}

func destinationNames(w remote.Workspace) (names []string) {
	for _, d := range w.Destinations {
		names = append(names, d.Name)
	}
	return names
}
