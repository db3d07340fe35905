package cli

import (
	"runtime"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
)

func newVersion(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	return &cobra.Command{
		Use: "version", Short: "Print the version",
		RunE: func(*cobra.Command, []string) error {
			if k.Output != console.AsTable {
				return k.Print(map[string]string{"version": k.Version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
			}
			k.Say("weir %s (%s, %s/%s)", k.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}
