package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/remote"
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
			_ = cmd.RegisterFlagCompletionFunc(flag, k.complete(names)) // the flag is there, and has none
		}
	}
	switch cmd.Name() {
	case "export":
		cmd.ValidArgsFunction = k.complete(workspaceNames)
	case "query":
		cmd.ValidArgsFunction = k.complete(destinationNames)
	}
}

// complete returns what gives the names that workspaces have.
func (k invocation) complete(names func(remote.Workspace) []string) cobra.CompletionFunc {
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
		all, err := control.Workspaces(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var found []string
		for _, w := range all {
			found = append(found, names(w)...)
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
